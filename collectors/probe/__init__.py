"""Path probes: STAMP (RFC 8762) senders and reflectors with kernel time stamps."""
