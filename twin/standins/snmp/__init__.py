"""What a switch tells by itself: an SNMPv3 agent with its vendor's objects, traps, syslog lines.

Written from the RFCs and the vendors' MIBs, and from nothing of the collector's: a mistake that both sides share would
never be seen.
"""
