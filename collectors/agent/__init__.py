"""The appliance agent: what one Linux appliance knows about itself, told at once to the collector.

Its only input is ``/etc/sanwang/agent.json``, rendered by provision::

    {"host": "c1-core",                  # the host's name in the model
     "management": "10.32.1.1",          # address of the HTTP server (tcp 9100)
     "management_vrf": "mgmt",           # VRF that holds that address, "" = default namespace
     "nms": "10.32.2.6",                 # the management host
     "collector": "10.32.2.6:9810",      # where events are pushed, JSON lines over TCP
     "reflectors": [{"vrf": "gov", "address": "10.8.1.1"}],
     "senders": [{"name": "c1-core>t01-rt", "vrf": "gov", "source": "10.8.1.1",
                  "target": "10.8.21.1", "interval_ms": 500}]}

About 75 of these run in one county on one machine, so memory is counted: ``lean`` keeps what is not needed out
of the process, and nothing here imports more than the standard library and pyroute2's message classes.
"""
