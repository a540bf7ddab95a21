"""Groups of halls, so that "all townships" is one word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inventory.model import NetworkModel, SiteKind

ALL = "all"
_KINDS = {
    "centres": (SiteKind.CENTRE, "各中心", "all centres"),
    "townships": (SiteKind.TOWNSHIP, "各乡镇", "all townships"),
    "bodies": (SiteKind.BODY, "各部门", "all county bodies"),
    "buildings": (SiteKind.BUILDING, "县政府大楼", "the county building"),
    "schools": (SiteKind.SCHOOL, "各学校", "all schools"),
    "clinics": (SiteKind.CLINIC, "各卫生院", "all clinics"),
    "villages": (SiteKind.VILLAGE, "各村", "all villages"),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Halls under one name; ``under:t01``: of the site t01 and of every site that hangs on it."""

    name: str
    zh: str
    en: str
    halls: tuple[str, ...]


def groups(model: NetworkModel) -> dict[str, Group]:
    """Every group with a hall in it, in the order that pages offer them."""
    found = {ALL: Group(ALL, "全部会场", "all halls", tuple(model.halls))}
    for name, (kind, zh, en) in _KINDS.items():
        halls = tuple(code for code, hall in model.halls.items() if model.sites[hall.site].kind is kind)
        found[name] = Group(name, zh, en, halls)
    for top in model.sites.values():
        halls = tuple(code for code, hall in model.halls.items() if top.code in _above(model, hall.site))
        if len(halls) > 1:
            name = f"under:{top.code}"
            found[name] = Group(name, f"{top.zh}及所辖", f"{top.en} and below", halls)
    return {name: group for name, group in found.items() if group.halls}


def spread(model: NetworkModel, wanted: Iterable[str]) -> list[str]:
    """Halls and groups as halls, each once; a word that is neither stays, for the booking to refuse."""
    known = groups(model)
    found: dict[str, None] = {}
    for word in wanted:
        halls = known[word].halls if word in known and word not in model.halls else (word,)
        found.update(dict.fromkeys(halls))
    return list(found)


def _above(model: NetworkModel, site: str) -> list[str]:
    """The site, what it hangs on first, and what that hangs on."""
    found = [site]
    for _ in range(4):  # village, township, centre: a county is never deeper
        homes = model.sites[found[-1]].homes
        if not homes or homes[0] not in model.sites:
            break
        found.append(homes[0])
    return found
