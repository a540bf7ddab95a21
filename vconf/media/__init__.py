"""The media engine: ICE-lite, DTLS, SRTP and a forwarding unit that never decodes."""
