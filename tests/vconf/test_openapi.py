"""The OpenAPI document says what the routes do, and every route asks who is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel

from tests.vconf.test_signalling import Door, door
from vconf import links, meetings
from vconf.answers import ANSWERS
from vconf.openapi import EXAMPLES

__all__ = ["door"]
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def routes(door: Door) -> Iterator[tuple[str, str, APIRoute]]:
    """Method, path and route of all that the API offers."""
    for router in door.rest.documented:
        for route in router.routes:
            if isinstance(route, APIRoute):
                for method in sorted((route.methods or set()) & METHODS):
                    yield method, route.path, route


def body_of(route: APIRoute) -> type[BaseModel] | None:
    """The model of its body."""
    models = [field.field_info.annotation for field in route.dependant.body_params]
    return next((each for each in models if isinstance(each, type) and issubclass(each, BaseModel)), None)


def test_the_document_is_of_the_live_routes_and_tells_what_each_does(door: Door) -> None:
    answer = door.client.get("/api/meet/openapi.json", headers={"x-login": "office"})
    assert answer.status_code == 200
    document = answer.json()
    described = {(method.upper(), path) for path, found in document["paths"].items() for method in found}
    live = {(method, path) for method, path, route in routes(door) if route.include_in_schema}
    assert described == live
    assert len(live) > 25
    operations = [found for path in document["paths"].values() for found in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    known = {tag["name"] for tag in document["tags"]}
    for operation in operations:
        assert 5 < len(operation["summary"]) < 120, operation
        assert operation["description"].strip(), operation
        assert set(operation["tags"]) <= known, operation
        assert operation["security"] == [] or "401" in operation["responses"], operation
        for demand in operation["security"]:
            assert demand.keys() <= document["components"]["securitySchemes"].keys()
    text = json.dumps(document)
    for kind, name in re.findall(r'"#/components/(\w+)/(\w+)"', text):
        assert name in document["components"][kind], name


def test_every_body_has_an_example_that_the_route_takes(door: Door) -> None:
    document = door.client.get("/api/meet/openapi.json", headers={"x-login": "office"}).json()
    shown = set()
    for _, path, route in routes(door):
        model = body_of(route)
        if model is not None and path.startswith("/api/"):
            model.model_validate(EXAMPLES[model.__name__])
            assert document["components"]["schemas"][model.__name__]["examples"] == [EXAMPLES[model.__name__]]
            shown.add(model.__name__)
    assert shown == set(EXAMPLES)


def test_live_answers_have_the_shapes_that_the_document_gives_them(door: Door) -> None:
    office, seen = {"x-login": "office"}, set()

    def ask(method: str, path: str, body: Any = None, **number: int) -> Any:
        answer = door.client.request(method, f"/api/meet/{path.format(**number)}", json=body, headers=office)
        assert answer.status_code < 300, answer.text
        name = f"{method.lower()}-{path.replace('{', '').replace('}', '').replace('/', '-')}"
        ANSWERS[name].model_validate_json(answer.text, strict=False)
        seen.add(name)
        return answer.json()

    made = ask("POST", "meetings", {"title": "会", "halls": ["t01", "t02"]})
    number = made["meeting"]["id"]
    with door.page({"token": exchanged(door, made["links"]["t01"])}) as (page, _):
        assert page.ask("state")["conference"]["present"] == 1
        assert ask(
            "POST", "meetings/{number}/act", {"action": "signIn", "args": {"venue": "t01", "heads": 3}}, number=number
        )
        ask("GET", "meetings/{number}", number=number)
        ask("GET", "meetings/{number}/attendance", number=number)
    ask("GET", "meetings")
    for path in ("links", "streams"):
        ask("GET", f"meetings/{{number}}/{path}", number=number)
    stream = ask("POST", "meetings/{number}/streams", EXAMPLES["NewStream"], number=number)["stream"]["id"]
    ask("DELETE", "meetings/{number}/streams/{stream}", number=number, stream=stream)
    ask("POST", "meetings/{number}/guests", {"on": True}, number=number)
    ask("POST", "meetings/{number}/console", number=number)
    later = door.book("t01", starts_in=timedelta(hours=3)).id
    ask("POST", "meetings/{number}/change", {"title": "例会"}, number=later)
    ask("POST", "meetings/{number}/cancel", {"why": "改期"}, number=later)
    assert set(ANSWERS) - seen == {"post-meetings-number-lines"}  # no hall is at home here


def exchanged(door: Door, link: str) -> str:
    """A join token for a hall's link."""
    answer = door.client.post("/meet/link", json={"link": link.partition("#token=")[2]}).json()
    return str(answer["join"])


def test_every_route_turns_away_who_may_not(door: Door) -> None:
    """Nobody, a hall, somebody of another unit, and a chair of another meeting: on every route there is."""
    mine, other = door.book("t01", chair="@li"), door.book("t02", chair="@wang")
    now = datetime.now(UTC)
    hall = {"authorization": f"Bearer {links.link_token(door.tokens, mine, 't01', now)}"}
    foreign = {"authorization": f"Bearer {links.chair_token(door.tokens, other, 'wang', now)}"}
    tried: list[str] = []
    for method, path, route in routes(door):
        if "{token}" in path:  # whoever has the address may read it: the address is the secret
            assert door.client.get(path.replace("{token}", "x" * 43)).status_code == 404
            continue
        model = body_of(route)
        body: dict[str, Any] | None = (
            EXAMPLES[model.__name__] if model is not None and model.__name__ in EXAMPLES else None
        )
        where = path.replace("{number}", str(mine.id)).replace("{stream}", "1").replace("{resource}", "x")

        def ask(headers: dict[str, str], where: str = where, method: str = method, body: Any = body) -> int:
            return int(door.client.request(method, where, json=body, headers=headers).status_code)

        assert ask({}) == 401, (method, path)
        assert ask(hall) in (401, 429), (method, path)
        if "{number}" in path:
            assert ask(foreign) == 404, (method, path)
            assert ask({"x-login": "elsewhere"}) == 403, (method, path)
            tried.append(path)
    assert len(tried) > 12
    with door.store.reading() as session:
        found = meetings.get(session, mine.id)
    assert found is not None
    assert (found.cancelled_at, found.guest_pin, found.end_at) == (None, None, mine.end_at)
