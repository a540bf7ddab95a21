"""Tiers: a node knows its parent, may have children, goes on alone when the parent is lost (docs/architecture.md).

``parent`` what a tier tells its children and takes from them, ``county`` that of a county's signalling; ``child``
what a node hears of its parent and when it is lost; ``notes`` the ledger of a node that is alone, ``handed`` what it
hands over afterwards; ``passing`` carries pages' requests to the parent, ``door`` answers them alone, ``node``
decides which.
"""
