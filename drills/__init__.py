"""The sequence of ``up`` and ``down``, verification by real packets, and every drill."""
