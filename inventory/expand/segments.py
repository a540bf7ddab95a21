"""Which networks have a service segment, and which of them a centre's server answers in."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.model import Service


def service_networks(services: Mapping[str, Service], centre: str = "") -> tuple[str, ...]:
    """Networks that have a service segment (with a centre: those its server has a port in), lowest number first."""
    names = {
        service.address: service.network
        for service in services.values()
        if service.kind == "web" and (not centre or any(backend.centre == centre for backend in service.backends))
    }
    return tuple(dict.fromkeys(names[address] for address in sorted(names)))
