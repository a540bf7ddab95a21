"""Devices that run already: read (never changed), and compared with the county's model.

``taken.py`` is what was read (over SSH by ``look.py``, or out of saved files), ``facts.py`` what it says, and
``compare.py`` how that differs from the model.
"""
