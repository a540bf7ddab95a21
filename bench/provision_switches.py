"""Several vendors' switches, stand-ins in one process: ``python -m bench.provision_switches FOLDER SHARE PASSWORD``."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from inventory.hardware import HARDWARE
from twin.standins.access import OneUser
from twin.standins.device import Device, Settings
from twin.standins.platforms import PLATFORMS
from twin.standins.server import listen

USER = "sanwang"


async def main(folder: Path, share: str, password: str) -> None:
    """Serve the switches of ``switches-SHARE.json``: [{"name", "platform", "text"}]; tells ports in a JSON line."""
    key = folder / "host.key"
    ports = {}
    servers = []
    for each in json.loads((folder / f"switches-{share}.json").read_text(encoding="utf-8")):
        hardware = HARDWARE[each["platform"]]
        dialect, session = PLATFORMS[each["platform"]]
        settings = Settings(
            hostname=each["name"], user=USER, enable_password=password, ports=";".join((*hardware.ports, hardware.oob))
        )
        device = Device(dialect, settings, config=each["text"])
        await device.power_on()
        servers.append(await listen(device, session, OneUser(USER, password, None), "127.0.0.1", 0, key))
        ports[each["name"]] = servers[-1].get_port()
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
