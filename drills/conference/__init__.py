"""A meeting of many halls, rehearsed: ``seats`` who comes from where, ``crowd`` the halls of the load tool, ``screens``
real browsers that are read by their pixels, ``judge`` what everybody must be shown, ``parts`` what is measured,
``township`` what happens when a township or a relay is lost.
"""
