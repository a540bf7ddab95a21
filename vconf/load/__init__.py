"""Halls without a picture: real ICE, DTLS and SRTP, many of them in one process, for benches and load."""
