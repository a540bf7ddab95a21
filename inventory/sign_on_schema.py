"""The section ``sign_on:`` as engineers write it: another provider of identities, and where the audit log is sent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from inventory.written import Name, Named, Written

_ISSUER = r"^(https://[^\s?#]+|http://(127\.0\.0\.1|localhost)(:\d{1,5})?[^\s?#]*)$"
_RECEIVER = r"^[A-Za-z0-9.:-]{1,253}$"


class OidcIntent(Named):
    """An OpenID provider that may say who somebody is. Its client secret: ``sanwang account oidc-secret``."""

    issuer: Annotated[str, StringConstraints(pattern=_ISSUER)]
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    claim: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,64}$")] = "preferred_username"
    logins: dict[str, Name] = {}  # the claim's value: login here; none: the value is the login
    scopes: tuple[str, ...] = ("openid", "profile")


class AuditSyslogIntent(Written):
    """A receiver outside the county's own machines that is sent every audit entry (RFC 5424)."""

    host: Annotated[str, StringConstraints(pattern=_RECEIVER)]
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] = 6514
    transport: Literal["tls", "tcp", "udp"] = "tls"


class SignOnIntent(Written):
    """How people sign in beside their own accounts, and who else hears what was done."""

    oidc: OidcIntent | None = None
    audit_syslog: AuditSyslogIntent | None = None
