"""The Linux appliance family: FRR, nftables, WireGuard, strongSwan, runit.

``device.py`` and ``network.py`` run ON the device with nothing but Python's standard library; ``templates/`` are the
texts that ``provision.render`` fills.
"""
