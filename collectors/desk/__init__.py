"""The desk: tickets with time limits, supervision, shifts.  All of it is driven from the store."""
