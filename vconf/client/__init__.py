"""The far side of a meeting: a page's WebSocket and transports, for load, recorder and tests."""
