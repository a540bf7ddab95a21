"""The OpenAPI document of ``/api/meet`` (3.1): what FastAPI knows of the routes, and what only we know of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from vconf import answers

Document = dict[str, Any]

_CLAUSE = re.compile(r"[;:](?![^(]*\))")  # where a docstring's first clause ends, not within brackets
_ABOUT = """\
Book meetings, chair them and read them from another program. Signalling and media are in docs/protocol.md; the address
is that of the county's service of kind `meet`. Times are ISO 8601 with their zone, in UTC unless said otherwise; a hall
is named by its code (`t01`). Every change is in the audit log under the caller's name.
"""
_TAGS = [
    {"name": "meetings", "description": "Meetings: their booking, their chair, who was there."},
    {"name": "streams", "description": "Encoders that publish by WHIP (RFC 9725) and programs that view by WHEP."},
]
_SCHEMES = {
    "chair": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A chair's token, good for its own meeting alone: the fragment of the chair's link, or "
        "`POST /api/meet/meetings/{number}/console`.",
    },
    "person": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-sanwang-ops",
        "description": "Signed in to the operations pages with the right to hold meetings, for the main venue's unit.",
    },
    "stream": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a link for an encoder or viewer: `POST /api/meet/meetings/{number}/streams`.",
    },
}
_WORDS = {"detail": {"type": "string", "description": "what was found, and what was expected"}}
_REFUSAL = {
    "detail": {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "description": "a refusal of the chair's rules, its word as in docs/protocol.md",
                "properties": {key: {"type": "string"} for key in ("code", "zh", "en")},
                "required": ["code", "zh", "en"],
            },
        ]
    }
}
EXAMPLES: dict[str, Document] = {
    "Act": {"action": "broadcast", "args": {"venue": "t02"}},
    "Booking": {"title": "防汛会商", "start": "2027-05-01T09:00:00+08:00", "minutes": 90, "halls": ["t01", "t02"]},
    "Cancelling": {"why": "改期"},
    "Changing": {"minutes": 120},
    "Guests": {"on": True},
    "Subscribing": {"of": "t01"},
    "NewStream": {"kind": "whip", "name": "防汛指挥车", "minutes": 240},
}
"""Of each body, by the name of its model."""

_SCHEMAS = {
    "Problem": {"type": "object", "properties": _WORDS, "required": ["detail"]},
    "Refusal": {"type": "object", "properties": _REFUSAL, "required": ["detail"]},
}
_ERRORS = {
    "401": ("Problem", "nobody is signed in, or the token is forged, expired, revoked or for something else"),
    "403": ("Problem", "the main venue is not in the caller's unit, or a chair's token tries another thing"),
    "404": ("Problem", "there is no such meeting, or it is not the token's"),
    "409": ("Refusal", "not now: the chair's rules, the meeting's state or the county's equipment refuse it"),
}


def described(routes: Sequence[BaseRoute]) -> Document:
    """The document of these routes."""
    document = get_openapi(
        title="Sanwang meetings",
        version="1",
        summary="The meetings of a county",
        description=_ABOUT,
        routes=routes,
        tags=_TAGS,
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    schemas = components.setdefault("schemas", {})
    schemas.update(_SCHEMAS | answers.schemas())
    for name, example in EXAMPLES.items():
        if name in schemas:
            schemas[name]["examples"] = [example]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return document


def _complete(path: str, method: str, operation: Document) -> None:
    streaming = not path.startswith("/api/")
    parts = path.replace("{", "").replace("}", "").removeprefix("/api").split("/")
    operation["operationId"] = "-".join([method, *filter(None, parts[2:])])
    first, _, rest = operation.get("description", "").partition(".")
    operation["summary"] = _CLAUSE.split(first)[0].strip() or operation["summary"]
    operation["description"] = f"{first}.{rest}".strip()
    if "{token}" in path:  # whoever has the address may read it
        operation["security"] = []
        return
    operation["security"] = [{"stream": []}] if streaming else [{"chair": []}, {"person": []}]
    wanted = ("401", "404", "409") if streaming else ("401", "403", "409") if "{" not in path else tuple(_ERRORS)
    for status in wanted if method != "get" or "{" in path else ("401",):
        schema, words = _ERRORS[status]
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
        operation["responses"].setdefault(status, {"description": words, "content": content})
    if streaming:
        _sdp(method, operation)
    shape = answers.ANSWERS.get(operation["operationId"])
    if shape is not None:
        good = next(status for status in operation["responses"] if status.startswith("2"))
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}
        operation["responses"][good] |= {"content": content}


def _sdp(method: str, operation: Document) -> None:
    """Bodies that FastAPI cannot know: they are no JSON."""
    kind = {"post": "application/sdp", "patch": "application/trickle-ice-sdpfrag"}.get(method)
    if kind is None:
        return
    text = {kind: {"schema": {"type": "string"}}}
    operation["requestBody"] = {"required": True, "content": text}
    if method == "post":
        headers = {
            name: {"schema": {"type": "string"}, "description": words}
            for name, words in (
                ("Location", "the session's resource"),
                ("ETag", "of its ICE session"),
                ("Link", "TURN servers, for who is outside (RFC 9725 section 4.6)"),
            )
        }
        operation["responses"]["201"] = {"description": "the answer", "content": text, "headers": headers}
