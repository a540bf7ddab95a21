"""From an open channel to a prompt without a pager; and, when that fails, why."""

from __future__ import annotations

import re

import paramiko

from provision.broker.session import Address
from provision.vendor.dialogue import Dialogue
from provision.vendor.drivers import LOGIN_TIMEOUT_S
from provision.vendor.errors import VendorError
from provision.vendor.words import QUESTION

_FULL = re.compile(
    r"(?i)all (?:user|vty) (?:interfaces|lines) are (?:in use|used|busy)|too many (?:users|sessions)|"
    r"no (?:free|idle) vty|max\w* (?:number of )?(?:users|sessions|vty)[^\n]*(?:reached|exceed)|"
    r"administratively prohibited|resource shortage"
)
_PASSWORD = re.compile(r"(?i)password ?: ?\Z")


def log_in(dialogue: Dialogue, enable: str) -> None:
    """To a privileged prompt, pager off; a question before it is about passwords or banners, and is answered so."""
    words = dialogue.words
    first = re.compile(rf"(?:{words.any_prompt})|(?P<question>{QUESTION.pattern})|(?P<banner>to continue[^\n]*\Z)")
    for _ in range(8):
        text, found = dialogue.connection.hear(first, LOGIN_TIMEOUT_S)
        if _FULL.search(text):
            raise VendorError("busy", f"{dialogue.host}: {_first(text)}")
        if found["question"]:
            # "The password needs to be changed. Change now?": not by us, not now.
            dialogue.connection.say("N")
        elif found["banner"]:
            dialogue.connection.say("")
        else:
            break
    else:
        raise VendorError("device", f"{dialogue.host} asks and asks before its first prompt")
    dialogue.know(found["name"])
    dialogue.last_prompt = found[0].strip()
    if words.enable and dialogue.last_prompt.endswith(">"):
        _privileged(dialogue, enable)
    for command in words.paging:
        answer = dialogue.ask(command)
        if dialogue.refusal(answer):
            continue  # the pager is then answered page by page


def _privileged(dialogue: Dialogue, enable: str) -> None:
    connection = dialogue.connection
    connection.say(dialogue.words.enable)
    prompt = re.compile(rf"{_PASSWORD.pattern}|{dialogue._end.pattern}")
    _, found = connection.hear(prompt, LOGIN_TIMEOUT_S)
    if not found["prompt"]:
        connection.say(enable)
        _, found = connection.hear(prompt, LOGIN_TIMEOUT_S)
    dialogue.last_prompt = found["prompt"] or ""
    if not dialogue.last_prompt.endswith("#"):
        raise VendorError("device", f"{dialogue.host}: privileged mode is refused: check the enable password")


def why_not(error: Exception, where: Address) -> VendorError:
    """A failed connection in words an engineer can act on."""
    at = f"{where.host} ({where.address} port {where.port})"
    text = str(error)
    if isinstance(error, paramiko.ChannelException) or _FULL.search(text):
        return VendorError("busy", f"{at}: every VTY line is taken; close a session, or wait for one to end")
    if isinstance(error.__context__, paramiko.BadHostKeyException) or "host key" in text.lower():
        return VendorError(
            "unreachable",
            f"{at} shows another host key than the one pinned at enrolment: was the device replaced? enrol it again",
        )
    if "uthentication" in text:
        return VendorError("unreachable", f"{at} refuses the login of {where.user}: check the county's credentials")
    if isinstance(error, OSError):
        return VendorError("unreachable", f"{at} does not answer: is it up, and is there a path to it?")
    return VendorError("unreachable", f"{at}: no session: {_first(text) or type(error).__name__}")


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
