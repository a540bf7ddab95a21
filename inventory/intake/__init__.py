"""Brownfield: what a county already has, from CSV or Excel tables into its YAML files.

``read_tables`` (bytes to cells) -> ``records_of`` (cells to entries of the county's sections) -> ``merge`` (with what
is written already; numbers proposed) -> ``texts_of`` (the YAML files edited) -> ``put`` (checked as a whole, written as
a whole).  ``take_in`` does all of it.
"""
