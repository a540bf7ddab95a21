"""After a meeting: who was there, how it went, what broke, what the chair did; signed and to print."""
