"""The device broker: one process that owns every session to a device, and the light client that asks it."""
