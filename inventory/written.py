"""What every section of a county's files is written with: names, texts, and the base of the schema's classes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

CODE = r"^[a-z][a-z0-9]{0,7}$"
NAME = r"^[a-z][a-z0-9-]{0,31}$"

Code = Annotated[str, StringConstraints(pattern=CODE)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Written(BaseModel):
    """Base of everything written: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Named(Written):
    """Something with a Chinese and an English name."""

    zh: Text
    en: Text
