"""The chair's desk of a running county, entered from the page of meetings."""

from __future__ import annotations

import json

from drills.browser import Hall, visit
from drills.lab import Lab
from tests.drills.notebook import sanwang


def the_chairs_desk_is_one_press_away(lab: Lab, browser: Hall, address: str) -> None:
    """Who may hold meetings opens the desk of one that runs from the page of meetings, in the own name."""
    halls = ",".join(list(lab.model.halls)[:2])
    booked = sanwang("meet", "book", "--title", "晨会", "--halls", halls, "--chair", "@chen", "--force", "--json")
    number = json.loads(booked.stdout.splitlines()[-1])["meeting"]["id"]
    try:
        page = browser.beside(address, "chen").page
        page.wait_for_selector("html[data-at]", state="attached")
        visit(page, "/meetings")
        with page.expect_popup() as opening:
            page.click(f"[data-chair='{number}']")
        desk = opening.value
        desk.wait_for_selector("[data-desk=chair]")
        assert "token" not in desk.url
        assert desk.locator("[data-venue]").count() == 2
    finally:
        assert sanwang("meet", "cancel", str(number)).returncode == 0
