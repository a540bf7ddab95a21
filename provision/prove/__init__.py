"""Proof over the rendered configurations: what passes, by which rule, and where that differs from what is intended."""
