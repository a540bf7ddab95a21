"""Signing in with an OpenID provider (OpenID Connect Core 1.0): authorization code, PKCE (RFC 7636), state, nonce.

The provider says who somebody is, never what that person may do: the login must have an account here already, roles
come from the county alone, and whose roles want a second factor is asked for it here.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from dashboards.access import Access
from identity.accounts import LOGIN
from identity.refusal import Refusal
from identity.secrets import Secrets
from inventory.sign_on_schema import OidcIntent

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

COOKIE = "__Host-sanwang-oidc"
SECRET = "oidc/client"
"""Name of the client secret in the vault."""

_PENDING_S = 600
_MOST_PENDING = 1000
_DISCOVERED_S = 3600
_LEEWAY_S = 60
_SIGNATURES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519"]
"""Never "none", and never a symmetric one, whose key would be the client secret."""


class OidcRefused(Refusal):
    """The provider, or its answer, lets nobody in."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"single sign-on: {why}; sign in again, or by password", f"统一身份认证未成功({why}),请重试或用口令登录"
        )


@dataclass(frozen=True, slots=True)
class _Pending:
    nonce: str
    verifier: str
    redirect: str
    until: float


class Provider:
    """One provider, discovered when first used.

    Args:
        settings: The county's ``sign_on.oidc``.
        secret: The client secret; "": a public client, by PKCE alone.
        trust: Authorities of the provider's own certificate.
        clock: Monotonic seconds.
    """

    def __init__(
        self, settings: OidcIntent, secret: str, trust: ssl.SSLContext, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings, self._secret, self._trust, self._clock = settings, secret, trust, clock
        self._pending: dict[str, _Pending] = {}
        self._found: tuple[float, dict[str, Any]] = (0.0, {})

    async def begin(self, redirect: str) -> tuple[str, str]:
        """Where to send the browser, and the state that it must bring back."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        metadata = await self._metadata()
        now = self._clock()
        self._pending = {state: each for state, each in self._pending.items() if each.until > now}
        if len(self._pending) >= _MOST_PENDING:
            raise OidcRefused("too many sign-ins at once")
        state = secrets.token_urlsafe(24)
        pending = _Pending(secrets.token_urlsafe(24), secrets.token_urlsafe(48), redirect, now + _PENDING_S)
        self._pending[state] = pending
        url: str = prepare_grant_uri(
            metadata["authorization_endpoint"],
            self.settings.client_id,
            "code",
            redirect_uri=redirect,
            scope=" ".join(self.settings.scopes),
            state=state,
            nonce=pending.nonce,
            code_challenge=create_s256_code_challenge(pending.verifier),
            code_challenge_method="S256",
        )
        return url, state

    async def finish(self, state: str, kept: str, code: str) -> str:
        """The login of whoever came back.

        Args:
            state: As the provider gave it back.
            kept: As this browser's cookie has it.
            code: The authorization code.

        Raises:
            OidcRefused: Another browser's answer, one too late, or one that does not prove who it is.
        """
        pending = self._pending.pop(state, None)
        if pending is None or not hmac.compare_digest(state, kept) or pending.until <= self._clock():
            raise OidcRefused("this answer belongs to no sign-in of this browser")
        metadata = await self._metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": pending.redirect,
            "code_verifier": pending.verifier,
        }
        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        basic = httpx.BasicAuth(self.settings.client_id, self._secret)
        if self._secret and "client_secret_basic" in methods:
            answer = await self._ask("POST", metadata["token_endpoint"], data=form, auth=basic)
        else:
            form["client_id"] = self.settings.client_id
            if self._secret:
                form["client_secret"] = self._secret
            answer = await self._ask("POST", metadata["token_endpoint"], data=form)
        claims = await self._claims(metadata, answer, pending.nonce)
        return self._login(claims)

    async def _claims(self, metadata: dict[str, Any], answer: dict[str, Any], nonce: str) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError

        keys = await self._keys(metadata)
        try:
            token = jwt.decode(str(answer.get("id_token", "")), keys, algorithms=_SIGNATURES)
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": metadata["issuer"]},
                    "aud": {"essential": True, "value": self.settings.client_id},
                },
                {"nonce": nonce, "client_id": self.settings.client_id, "access_token": answer.get("access_token")},
            )
            claims.validate(leeway=_LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as problem:
            raise OidcRefused(f"its identity token is not good: {type(problem).__name__}") from None
        found = dict(token.claims)
        if self.settings.claim not in found and "userinfo_endpoint" in metadata:
            bearer = {"authorization": f"Bearer {answer.get('access_token', '')}"}
            told = await self._ask("GET", metadata["userinfo_endpoint"], headers=bearer)
            if told.get("sub") != found["sub"]:  # OpenID Connect Core 5.3.2
                raise OidcRefused("its two answers are about two people")
            found = {**told, **found}
        return found

    def _login(self, claims: dict[str, Any]) -> str:
        value = claims.get(self.settings.claim)
        if self.settings.claim == "email" and claims.get("email_verified") is not True:
            raise OidcRefused("the provider has not verified the mail address")
        if not isinstance(value, str):
            raise OidcRefused(f"the provider says no {self.settings.claim}")
        if self.settings.logins:
            value = self.settings.logins.get(value, "")
        if not LOGIN.fullmatch(value):
            raise OidcRefused(f"the provider's {self.settings.claim} is no login here")
        return value

    async def _metadata(self) -> dict[str, Any]:
        at, found = self._found
        if found and self._clock() - at < _DISCOVERED_S:
            return found
        issuer = self.settings.issuer.rstrip("/")
        found = await self._ask("GET", f"{issuer}/.well-known/openid-configuration")
        if str(found.get("issuer", "")).rstrip("/") != issuer:
            raise OidcRefused("it says that it is another issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            scheme = urlsplit(str(found.get(name, ""))).scheme
            if scheme != "https" and not (scheme == "http" and issuer.startswith("http://")):
                raise OidcRefused(f"its {name} is not https")
        self._found = self._clock(), found
        return found

    async def _keys(self, metadata: dict[str, Any]) -> KeySet:
        from joserfc.jwk import KeySet

        keys = await self._ask("GET", metadata["jwks_uri"])
        try:
            return KeySet.import_key_set(keys)  # type: ignore[arg-type]
        except (ValueError, KeyError, TypeError):
            raise OidcRefused("its keys cannot be read") from None

    async def _ask(self, method: str, url: str, **given: Any) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(verify=self._trust, timeout=10.0, trust_env=False) as http:
                answer = await http.request(method, url, **given)
                answer.raise_for_status()
                found = answer.json()
        except (httpx.HTTPError, ValueError, OSError) as problem:
            raise OidcRefused(f"the provider did not answer as it should: {type(problem).__name__}") from None
        if not isinstance(found, dict):
            raise OidcRefused("the provider's answer is no JSON object")
        return found


def provider(settings: OidcIntent | None, held: Secrets) -> Provider | None:
    """The county's provider with its secret from the vault; its certificate may be the county's own authority's."""
    if settings is None:
        return None
    trust = ssl.create_default_context()
    trust.load_verify_locations(cadata=held.ca.certificate_pem)
    secret = held.vault.get(SECRET) if SECRET in held.vault.names() else ""
    return Provider(settings, secret, trust)


def build_oidc(access: Access, provider: Provider) -> APIRouter:
    """``GET /api/sign/oidc`` sends the browser to the provider, ``GET /api/sign/oidc/back`` takes it back."""
    router = APIRouter(prefix="/api/sign/oidc")

    def refused(refusal: Refusal) -> Response:
        return PlainTextResponse(f"{refusal.zh}\n{refusal.en}\n\n/ops/\n", 401)

    @router.get("")
    async def begin(request: Request) -> Response:
        try:
            url, state = await provider.begin(f"https://{request.headers.get('host', '')}/api/sign/oidc/back")
        except Refusal as refusal:
            return refused(refusal)
        response = RedirectResponse(url, 303)
        # Lax: it has to come along when the provider sends the browser back.
        response.set_cookie(COOKIE, state, max_age=_PENDING_S, path="/", secure=True, httponly=True, samesite="lax")
        return response

    @router.get("/back")
    async def back(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        try:
            if error or not code:
                raise OidcRefused("the provider refused")
            login = await provider.finish(state, request.cookies.get(COOKIE, ""), code)
            opened = await asyncio.to_thread(access.sign_on.enter, login, "oidc", access.caller(request))
        except Refusal as refusal:
            return refused(refusal)
        response = RedirectResponse("/ops/", 303)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        access.keep(response, opened)
        return response

    return router
