"""One interface for messages between tiers, two ways to carry them: within a process, and over NATS.

``bus`` the interface, ``local`` within a process, ``wire`` over NATS.  Subjects are words joined by dots
("tier.shili.beat"); in a subscription ``*`` stands for one word and a last ``>`` for one or more.
"""
