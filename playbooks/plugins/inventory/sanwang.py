"""Inventory plugin ``sanwang``: the county's appliances, grouped by role, kind of site, platform, stage and centre."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from inventory.errors import CountyErrors
from inventory.load import load_model
from inventory.places import Places
from provision.broker.groups import groups

DOCUMENTATION = """
name: sanwang
short_description: hosts of a county
description:
  - Reads a county's files and offers its appliances as hosts, in groups by role (C(core), C(access), C(firewall)),
    by kind of site (C(at_township)), by platform (C(platform_huawei_vrp8)), by stage of enrolment (C(stage_centres))
    and by centre (C(centre_c1)).
options:
  plugin:
    description: Always C(sanwang).
    required: true
    choices: [sanwang]
  county:
    description: Name of a folder under inventory/counties, or a path.
    required: true
    type: str
  instance:
    description: Name of the running instance; the default is SANWANG_INSTANCE, else the county's name.
    required: false
    type: str
    default: ""
"""

EXAMPLES = """
plugin: sanwang
county: shili
"""


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]
    """Fills the inventory from the model; reads no device and asks no broker."""

    NAME = "sanwang"

    def verify_file(self, path: str) -> bool:
        """Only files called ``<name>.sanwang.yml`` are ours."""
        return bool(super().verify_file(path)) and path.endswith((".sanwang.yml", ".sanwang.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Read the county that the file names."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        county = str(self.get_option("county"))
        beside = Path(path).resolve().parent / county
        try:
            model = load_model(beside if "/" in county and beside.is_dir() else county)
        except (CountyErrors, FileNotFoundError) as error:
            raise AnsibleParserError(f"county {county}: {error}") from None
        instance = str(self.get_option("instance") or os.environ.get("SANWANG_INSTANCE") or Path(county).name)
        try:
            places = Places(instance)
        except ValueError as error:
            raise AnsibleParserError(f"{path}: {error}") from None
        inventory.set_variable("all", "sanwang_broker", str(places.broker_socket))
        for host in model.appliances():
            inventory.add_host(host.name)
            inventory.set_variable(host.name, "sanwang_site", model.sites[host.site].zh)
        for group, members in groups(model).items():
            inventory.add_group(group)
            for member in members:
                inventory.add_host(member, group=group)
