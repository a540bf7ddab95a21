"""Calling people: what Alertmanager tells, who is next when nobody acknowledges, and when nobody is to be called."""
