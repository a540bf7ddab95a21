"""Faults: one for one root cause, opened, told to Alertmanager, kept in the store, cleared."""
