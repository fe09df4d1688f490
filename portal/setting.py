"""One setting: how it is read from the environment or a file, and which values are valid.

No message here quotes a secret, or is chained to an error that does.
"""

import ipaddress
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_YES, _NO = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})

FIRST_PROVIDER = "sso"  # the id of the identity provider whose settings have none in their names
_ID = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,19}")

DATABASES = {"django.db.backends.sqlite3": "sqlite", "django.db.backends.postgresql": "postgres"}


@dataclass(frozen=True)
class Setting:
    """One line of the table. Numbers have a range (`least` to `most`), words may have `choices`."""

    name: str
    kind: str  # str, bool, int, float, list (comma-separated), networks and ids (lists), folder, db_url, email_url
    default: Any
    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False  # never shown, not even in a message about it
    has_file: bool = True  # False: a library reads the variable itself, and does not support X_FILE

    def read(self) -> Any:
        """Return the value. Raises ImproperlyConfigured with a sentence if it is invalid."""
        raw = self._raw()
        text = str(self.default) if raw is None and self.kind.endswith("_url") else raw
        if text is None:
            return self.default
        try:
            value = _CASTS[self.kind](text)
        except (ValueError, KeyError, AttributeError, ImproperlyConfigured):
            raise self._mistake(f"{_WORDS[self.kind]}", text) from None
        if self.choices and value not in self.choices:
            raise self._mistake(f"must be {_either(self.choices)}", text)
        if self.least is not None and not self.least <= value <= _most(self):
            raise self._mistake(f"must be {self.range}", text)
        return value

    @property
    def range(self) -> str:
        """The range of a number in words; empty for other kinds."""
        if self.least is None:
            return ""
        return f"from {self.least:.12g} to {self.most:.12g}" if self.most is not None else f"{self.least:.12g} or more"

    def _raw(self) -> str | None:
        path = os.environ.get(f"{self.name}_FILE", "")
        if not path:
            return os.environ.get(self.name)
        if not self.has_file:
            raise ImproperlyConfigured(f"{self.name}_FILE is set, but {self.name} cannot be read from a file.")
        if self.name in os.environ:
            raise ImproperlyConfigured(f"{self.name} and {self.name}_FILE are both set: remove one of them.")
        try:
            # Editors and `kubectl create secret` add a line break at the end that is not part of the value.
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise ImproperlyConfigured(f"{self.name}_FILE names {path}: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise ImproperlyConfigured(f"{self.name}_FILE names {path}, which is not UTF-8 text.") from None

    def _mistake(self, sentence: str, text: str) -> ImproperlyConfigured:
        shown = "" if self.secret else f" is {text[:60]!r}: it"
        return ImproperlyConfigured(f"{self.name}{shown} {sentence}.")


def _bool(text: str) -> bool:
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise ValueError
    return word in _YES


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _networks(text: str) -> list[str]:
    return [str(ipaddress.ip_network(part, strict=False)) for part in _list(text)]


def _ids(text: str) -> list[str]:
    parts = _list(text)
    if len(set(parts)) < len(parts) or not all(_ID.fullmatch(part) and part != FIRST_PROVIDER for part in parts):
        raise ValueError
    return parts


def _folder(text: str) -> str:
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise ValueError from None
    if not os.access(path, os.W_OK):
        raise ValueError
    return text


def _db_url(text: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(text)
    if config.get("ENGINE") not in DATABASES or not config.get("NAME"):
        raise ValueError
    return config


def _email_url(text: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.email_url_config(text)
    if config["EMAIL_BACKEND"].endswith("smtp.EmailBackend") and not config["EMAIL_HOST"]:
        raise ValueError
    return config


_CASTS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "bool": _bool,
    "int": int,
    "float": _float,
    "list": _list,
    "networks": _networks,
    "ids": _ids,
    "folder": _folder,
    "db_url": _db_url,
    "email_url": _email_url,
}
_WORDS = {
    "bool": "must be true or false",
    "int": "must be a whole number",
    "float": "must be a number",
    "folder": "must be a writable folder",
    "ids": "must be different ids such as partner or new-tenant, separated by commas. An id has at most 20 lower-case "
    f"letters, digits and hyphens, begins with a letter, and is not {FIRST_PROVIDER}",
    "networks": "must be networks such as 169.254.0.0/16, separated by commas",
    "db_url": "must be postgres://user:password@host:5432/name (special characters percent-encoded) or sqlite:///path",
    "email_url": "must be like smtp+tls://user:password@host:587 (special characters percent-encoded), "
    "or consolemail://",
}


def _either(words: tuple[str, ...]) -> str:
    *others, last = (word or "empty" for word in words)
    return f"{', '.join(others)} or {last}"


def _most(setting: Setting) -> float:
    return math.inf if setting.most is None else setting.most
