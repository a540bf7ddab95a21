"""Before a meeting: booking with repeats and conflicts, calendars, what it needs of the network, whom it is told."""
