"""Before everything: a standby that has taken over has changed places with the management host.

Both boxes are called ``<centre>-nms`` and keep name, address and keys; only who acts is another.
"""

from __future__ import annotations

from inventory.errors import Report
from inventory.expand.services import BOX
from inventory.schema import Intent

_OTHER = {"nms": "standby", "standby": "nms"}


def taken_over(intent: Intent, report: Report) -> Intent:
    """The intent as it stands now: the boxes change places, and what the management host serves moves along."""
    if intent.switches.management is None:
        return intent
    place = {box: code for code, centre in intent.centres.items() for box in centre.boxes if box in _OTHER}
    if len(place) < len(_OTHER):
        report.error(
            ("switches", "management"),
            "a standby that has taken over",
            "a county with the boxes nms and standby",
            "add standby to a centre's boxes, or remove the line",
        )
        return intent
    centres = {
        code: centre.model_copy(update={"boxes": tuple(_OTHER.get(box, box) for box in centre.boxes)})
        for code, centre in intent.centres.items()
    }
    services = {
        name: service.model_copy(
            update={"backends": tuple(place["standby"] if code == place["nms"] else code for code in service.backends)}
        )
        if BOX[service.kind] == "nms"
        else service
        for name, service in intent.services.items()
    }
    return intent.model_copy(update={"centres": centres, "services": services})
