"""Every door of the assembled application: each route names its right or is on a short public list, and keeps to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import BaseRoute, Mount, Route
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from dashboards.access import Access, ops_token
from identity.people import Right
from identity.tokens import Tokens
from inventory.model import NetworkModel
from inventory.places import Places
from sanwang import ops_link, serve
from store.engine import Store
from tests.dashboards.conftest import County
from vconf.cascade import Cascade

PUBLIC = {
    ("POST", "/api/session"),  # a one-time link
    ("DELETE", "/api/session"),
    ("GET", "/api/sign"),
    ("POST", "/api/sign/password"),
    ("POST", "/api/sign/code"),
    ("POST", "/api/sign/new-password"),
    ("POST", "/api/sign/invite"),
    ("POST", "/api/sign/enrol"),
    ("POST", "/api/sign/enrol/confirm"),
    ("GET", "/api/meet/calendar/{token}.ics"),  # a calendar program, by an address that is the secret
    ("POST", "/meet/link"),  # a hall's link
    ("POST", "/meet/guest"),  # the guests' link and the PIN
    ("POST", "/meet/pair"),  # the code on a hall's card
    *(("POST", f"/meet/hall{path}") for path in ("", "/join", "/line", "/test")),  # a hall's own token
    *((method, f"/meet/{kind}") for method in ("POST", "OPTIONS") for kind in ("whip", "whep")),  # a stream's token
    *((method, f"/meet/{kind}/{{resource}}") for method in ("PATCH", "DELETE") for kind in ("whip", "whep")),
    ("GET", "/"),
}
"""What nobody has to be signed in for."""
PUBLIC_SOCKETS = {"/meet/ws"}  # a hall's join token, by the first message
OWN = ("/api/own", "/api/session", "/api/sign", "/meet/")
ADMINISTRATORS = {"wu": Right.ACCOUNTS, "zheng": Right.GRANT, "sun": Right.AUDIT}


def flat(routes: list[BaseRoute]) -> Iterator[BaseRoute]:
    """All routes, those of included routers too (which are included as they are: no further prefix)."""
    for route in routes:
        included: Any = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            assert cast(Any, route).include_context.prefix == ""
            yield from flat(included.routes)


@pytest.fixture(scope="module")
def routes(model: NetworkModel, places: Places, store: Store, running_county: County, pages: Path) -> list[BaseRoute]:
    """Every route, meetings with a relay too."""
    shield: Any = serve.assemble(model, places, store, running_county.secrets, Cascade({}), pages)
    return list(flat(shield._app.routes))


def checks(dependant: Dependant) -> Iterator[Any]:
    """Every function that a route depends on."""
    for each in dependant.dependencies:
        yield each.call
        yield from checks(each)


def rights(route: APIRoute) -> list[tuple[Right, ...]]:
    """The rights that a route asks for; () for one that any person signed in may use."""
    found: list[tuple[Right, ...]] = []
    for call in checks(route.dependant):
        if getattr(call, "__func__", None) is Access.signed_in:
            found.append(())
        elif hasattr(call, "rights"):
            found.append(call.rights)
    return found


def doors(routes: list[BaseRoute]) -> list[tuple[str, str, APIRoute]]:
    """Method, an address, and the route."""
    return [
        (method, re.sub(r"\{[^}]*\}", "1", route.path), route)
        for route in routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def test_every_route_names_its_right_or_is_public(routes: list[BaseRoute]) -> None:
    assert len(doors(routes)) > 30
    nameless = {(method, route.path) for method, _, route in doors(routes) if not rights(route)}
    assert nameless == PUBLIC
    assert {each.path for each in routes if isinstance(each, APIWebSocketRoute)} == {"/api/live", *PUBLIC_SOCKETS}
    others = [each for each in routes if not isinstance(each, APIRoute | APIWebSocketRoute)]
    assert [(type(each), cast(Any, each).path) for each in others if not isinstance(each, Route)] == [(Mount, "")]
    assert [each for each in others if isinstance(each, Route)] == []


def test_nobody_passes_without_a_session(routes: list[BaseRoute], county: County) -> None:
    for method, path, route in doors(routes):
        if (method, route.path) not in PUBLIC:
            answer = county.client.request(method, path, json={})
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code} {answer.text}"


def test_no_change_comes_from_another_page(routes: list[BaseRoute], county: County) -> None:
    for method, path, _ in doors(routes):
        if method in ("GET", "HEAD") or path.startswith("/meet/"):
            continue
        for origin in ("https://evil.internal", "null", county.base.replace("https", "http"), "https://["):
            answer = county.client.request(method, path, json={}, headers={"origin": origin})
            assert answer.status_code == 403, f"{method} {path} from {origin}: {answer.status_code} {answer.text}"


def test_no_socket_opens_without_a_session(routes: list[BaseRoute], county: County) -> None:
    for route in routes:
        if isinstance(route, APIWebSocketRoute) and route.path not in PUBLIC_SOCKETS:
            url = county.base.replace("https", "wss") + route.path
            with connect(url, ssl=county.trust, origin=cast(Any, county.base), proxy=None) as socket:
                with pytest.raises(ConnectionClosed):
                    socket.recv(5)
                assert socket.close_code == 4401


@pytest.mark.parametrize("login", sorted(ADMINISTRATORS))
def test_an_administrator_changes_nothing_but_what_is_his(routes: list[BaseRoute], county: County, login: str) -> None:
    tokens = Tokens(county.secrets.resolve(ops_link.KEY))
    assert county.client.post("/api/session", json={"token": ops_token(tokens, login)}).status_code == 200
    for method, path, route in doors(routes):
        if method in ("GET", "HEAD") or path.startswith(OWN):
            continue
        asked = {right for each in rights(route) for right in each}
        mine = ADMINISTRATORS[login] in asked and login != "sun"
        status = county.client.request(method, path, json={}).status_code
        assert (status != 403) == mine, f"{login}: {method} {path} ({', '.join(asked)}): {status}"


@pytest.mark.parametrize("login", ["liu", "zhao", "qian", "he"])
def test_nobody_sees_more_than_the_roles_let(routes: list[BaseRoute], county: County, login: str) -> None:
    tokens = Tokens(county.secrets.resolve(ops_link.KEY))
    assert county.client.post("/api/session", json={"token": ops_token(tokens, login)}).status_code == 200
    held = set(county.client.get("/api/session").json()["rights"])
    shut = [path for method, path, route in doors(routes) if method == "GET" and not _open(route, held)]
    assert shut
    for path in shut:
        assert county.client.get(path).status_code == 403, f"{login}: {path}"


def _open(route: APIRoute, held: set[str]) -> bool:
    return all(not each or held & set(each) for each in rights(route))
