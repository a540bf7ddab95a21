"""SNMP: ports, optical power, CPU and memory of every appliance, polled slowly and gently."""
