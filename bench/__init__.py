"""Side-by-side measurements: ``make bench``.  Every module beside this one has ``rows() -> list[Row]``."""
