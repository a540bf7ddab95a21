"""Stateful command lines of vendors' switches over SSH, written from the vendors' manuals and public transcripts.

Nothing here knows how the product renders or patches configuration: a renderer and its stand-in must not
share a mistake.
"""
