"""Tables of people's accounts, sessions, grants and failed attempts; only this room writes them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Boolean, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.base import Base, UtcDateTime


class Account(Base):
    """How one person signs in. Names and home unit of people of ``people.yml`` stand there, not here."""

    __tablename__ = "account"

    login: Mapped[str] = mapped_column(String(32), primary_key=True)
    zh: Mapped[str] = mapped_column(Text)
    en: Mapped[str] = mapped_column(Text)
    unit: Mapped[str] = mapped_column(String(8))  # site code of the person's unit; "" when it is the county's
    password: Mapped[str] = mapped_column(Text)  # argon2id in PHC form; "" when none is set
    password_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    history: Mapped[list[str]] = mapped_column(JSON)  # earlier passwords' hashes, newest first
    must_change: Mapped[bool] = mapped_column(Boolean)
    invite: Mapped[str] = mapped_column(String(64))  # SHA-256 of the one-time link's token; "" when none is open
    invite_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    totp: Mapped[str] = mapped_column(Text)  # sealed with the county's key; "" when there is no second factor
    totp_step: Mapped[int] = mapped_column(Integer)  # the last time step whose code was taken: none is taken twice
    recovery: Mapped[list[str]] = mapped_column(JSON)  # SHA-256 of the codes that are left
    released_by: Mapped[str] = mapped_column(Text)  # who saw the person behind a privileged account; "" not yet
    locked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    locked_why: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(Text)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SignSession(Base):
    """Somebody who is signed in, or half way there."""

    __tablename__ = "sign_session"
    __table_args__ = (Index("ix_sign_session_login", "login"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of the cookie's value
    login: Mapped[str] = mapped_column(String(32))
    how: Mapped[str] = mapped_column(String(16))  # "password", "link", "certificate", "oidc"
    stage: Mapped[str] = mapped_column(String(16))  # "in", "screen" (can only look), or what is asked: "code" ...
    standing: Mapped[str] = mapped_column(Text)  # the roles it was made with: it ends when they are others
    address: Mapped[str] = mapped_column(String(45))
    agent: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Grant(Base):
    """A role that was handed to somebody, for a time; kept when it has ended."""

    __tablename__ = "role_grant"
    __table_args__ = (Index("ix_role_grant_login", "login"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    login: Mapped[str] = mapped_column(String(32))
    role: Mapped[str] = mapped_column(String(16))
    units: Mapped[list[str]] = mapped_column(JSON)  # site codes; none: the whole county
    why: Mapped[str] = mapped_column(Text)
    given_by: Mapped[str] = mapped_column(Text)
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str] = mapped_column(Text)


class SignFailure(Base):
    """How often signing in failed lately, for a login or from an address."""

    __tablename__ = "sign_failure"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # "login:li", "address:10.32.2.9"
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    blocked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditExport(Base):
    """Up to which entry the audit log was sent to an outside receiver."""

    __tablename__ = "audit_export"

    target: Mapped[str] = mapped_column(String(255), primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime)
