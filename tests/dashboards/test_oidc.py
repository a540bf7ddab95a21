"""Signing in with another provider: a certified OpenID provider runs beside the pages, and a browser goes between."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import ValidationError

from dashboards.oidc import OidcRefused, Provider
from identity import accounts
from inventory.sign_on_schema import OidcIntent
from store.base import utc_now
from store.engine import Store
from tests.dashboards.conftest import County
from web.build import MissingTool, node_and_npm

FOLDER = Path(__file__).parent / "provider"
CLIENT, SECRET = "sanwang", "secret of the test"


def settings(port: int, **other: object) -> OidcIntent:
    """As a county writes it."""
    written = {
        "zh": "市统一认证",
        "en": "The city's sign-on",
        "issuer": f"http://127.0.0.1:{port}",
        "client_id": CLIENT,
    }
    return OidcIntent.model_validate({**written, **other})


@pytest.fixture(scope="module")
def port() -> int:
    """A free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def oidc(port: int) -> Provider:
    """The provider as the pages know it."""
    return Provider(settings(port), SECRET, ssl.create_default_context())


@pytest.fixture(scope="module")
def provider(running_county: County, port: int) -> Iterator[str]:
    """The provider, running; its address."""
    try:
        node, npm = node_and_npm()
    except MissingTool as lack:
        pytest.skip(str(lack))
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    if not (FOLDER / "node_modules" / "oidc-provider").is_dir():
        install = [str(node), str(npm), "ci", "--no-audit", "--no-fund"]
        done = subprocess.run(install, cwd=FOLDER, env=environment, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no registry gives oidc-provider: {done.stderr[-200:]}")
    redirect = f"{running_county.base}/api/sign/oidc/back"
    arguments = [str(node), "provider.mjs", str(port), CLIENT, SECRET, redirect]
    process = subprocess.Popen(
        arguments, cwd=FOLDER, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "ready":
            break
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture(scope="module")
def people(store: Store) -> None:
    """zhao and wang have accounts, qian has none."""
    with store.session() as session:
        for login in ("zhao", "wang"):
            accounts.add(session, login, "root", utc_now(), zh="", en="", unit="", why="test")


@pytest.fixture
def browser(county: County, provider: str, people: None) -> Iterator[httpx.Client]:
    """A browser that trusts the county."""
    with httpx.Client(verify=county.trust, trust_env=False, base_url=county.base, timeout=60) as client:
        yield client


def at_provider(browser: httpx.Client, login: str) -> str:
    """Sign in over there; the address that it sends the browser back to."""
    answer = browser.get("/api/sign/oidc")
    assert answer.status_code == 303, answer.text
    for _ in range(12):
        if answer.is_redirect:
            place = answer.headers["location"]
            if "/api/sign/oidc/back" in place:
                return str(place)
            answer = browser.get(str(answer.url.join(place)))
            continue
        assert answer.status_code == 200, answer.text
        action = re.search(r'action="([^"]+)"', answer.text)
        prompt = re.search(r'name="prompt" value="([^"]+)"', answer.text)
        assert action is not None
        assert prompt is not None
        form = {"prompt": prompt[1], "login": login, "password": "any"}
        answer = browser.post(str(answer.url.join(unescape(action[1]))), data=form)
    raise AssertionError("the provider goes round in circles")


def test_a_person_with_an_account_comes_in(browser: httpx.Client) -> None:
    assert browser.get("/api/sign").json()["oidc"] == {"zh": "市统一认证", "en": "The city's sign-on"}
    answer = browser.get(at_provider(browser, "zhao"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/ops/")
    session = browser.get("/api/session").json()
    assert (session["login"], session["roles"]) == ("zhao", ["operator"]), "the county alone says what roles there are"


def test_what_is_asked_of_the_provider(browser: httpx.Client) -> None:
    asked = parse_qs(urlsplit(browser.get("/api/sign/oidc").headers["location"]).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["state"][0]) >= 32
    assert len(asked["nonce"][0]) >= 32
    assert SECRET not in str(asked)


def test_an_engineer_still_needs_the_second_factor(browser: httpx.Client) -> None:
    assert browser.get(at_provider(browser, "wang")).status_code == 303
    assert browser.get("/api/sign").json()["stage"] == "enrol"
    assert browser.get("/api/session").status_code == 401


@pytest.mark.parametrize(("login", "said"), [("qian", "no account"), ("ghost", "nobody"), ("Not A Login", "no login")])
def test_who_is_no_person_with_an_account_stays_out(browser: httpx.Client, login: str, said: str) -> None:
    answer = browser.get(at_provider(browser, login))
    assert answer.status_code == 401
    assert said in answer.text
    assert browser.get("/api/session").status_code == 401


def test_an_answer_is_good_once_and_in_its_own_browser(browser: httpx.Client, county: County) -> None:
    back = at_provider(browser, "zhao")
    with httpx.Client(verify=county.trust, trust_env=False, timeout=60) as other:
        assert other.get(back).status_code == 401, "another browser must not be signed in by it"
    assert browser.get(back).status_code == 401, "the state was used"
    for query in ("", "?state=x&code=y", "?error=access_denied", "?state=&code="):
        assert browser.get(f"/api/sign/oidc/back{query}").status_code == 401


async def test_a_provider_that_cannot_be_had(port: int) -> None:
    silent = Provider(settings(1), SECRET, ssl.create_default_context())
    with pytest.raises(OidcRefused, match="did not answer"):
        await silent.begin("https://here/back")


async def test_a_state_ends(provider: str, port: int) -> None:
    now = [0.0]
    late = Provider(settings(port), SECRET, ssl.create_default_context(), lambda: now[0])
    _, state = await late.begin("https://here/back")
    now[0] += 601
    with pytest.raises(OidcRefused, match="no sign-in of this browser"):
        await late.finish(state, state, "code")


async def test_a_wrong_secret_is_said(provider: str, port: int) -> None:
    wrong = Provider(settings(port), "another", ssl.create_default_context())
    _, state = await wrong.begin("https://here/back")
    with pytest.raises(OidcRefused, match="did not answer as it should"):
        await wrong.finish(state, state, "code")


def test_which_login_a_claim_is() -> None:
    trust = ssl.create_default_context()
    mapped = Provider(settings(1, logins={"10023": "li"}, claim="employee"), "", trust)
    assert mapped._login({"employee": "10023"}) == "li"
    for claims in ({"employee": "li"}, {"employee": 10023}, {}):
        with pytest.raises(OidcRefused):
            mapped._login(claims)
    mail = Provider(settings(1, claim="email", logins={"li@example.org": "li"}), "", trust)
    assert mail._login({"email": "li@example.org", "email_verified": True}) == "li"
    with pytest.raises(OidcRefused, match="not verified"):
        mail._login({"email": "li@example.org"})


@pytest.mark.parametrize("issuer", ["http://idp.example.org", "https://a b", "ftp://x", "https://x?y", "javascript:1"])
def test_an_issuer_is_reached_by_tls(issuer: str) -> None:
    with pytest.raises(ValidationError):
        settings(1, issuer=issuer)
