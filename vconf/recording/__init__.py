"""Recordings: streams as the relay forwards them, into sealed files that a crash does not spoil.

``recorder`` joins a meeting as a page does, in a process of its own that ``keeper`` starts and watches.
``depacketise``, ``inbound`` and ``clock`` turn packets into frames on one timeline, ``track`` and ``boxes`` frames
into fragmented MP4, ``sealed`` encrypts what is written.  ``library`` is what people ask for, ``export`` what they take
away.
"""
