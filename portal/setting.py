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

from django.core.exceptions import ImproperlyConfigured

from environments.lib import tls
from portal import setting_urls

_YES, _NO = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})

FIRST_PROVIDER = "sso"  # the id of the identity provider whose settings have none in their names
_ID = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,19}")


@dataclass(frozen=True)
class Setting:
    """One line of the table. Numbers have a range (`least` to `most`), words may have `choices`."""

    name: str
    kind: str  # a key of _CASTS
    default: Any
    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False  # never shown, not even in a message about it
    also: str = ""  # another name that is read where this one is not set
    has_file: bool = True  # False: a library reads the variable itself, and does not support X_FILE

    def read(self) -> Any:
        """Return the value. Raises ImproperlyConfigured with a sentence if it is invalid."""
        raw = self._raw()
        text = str(self.default) if raw is None and self.kind.endswith("_url") else raw
        if text is None:
            return self.default
        try:
            value = _CASTS[self.kind](text)
        except (ValueError, KeyError, AttributeError, OSError, ImproperlyConfigured):
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
            return os.environ.get(self.name, os.environ.get(self.also))
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
        hidden = self.secret or "-----BEGIN" in text  # perhaps a private key
        shown = "" if hidden else f" is {text[:60]!r}: it"
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


def _certificates(text: str) -> str:
    """PEM, or what is in the file of this name. An empty file is none, for manifests that always mount one."""
    if text and "-----BEGIN" not in text:
        text = Path(text).read_text(encoding="utf-8", errors="replace")  # comments in any encoding do not count
    return tls.certificates(text) if text.strip() else ""


_CASTS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "bool": _bool,
    "int": int,
    "float": _float,
    "list": _list,
    "networks": _networks,
    "ids": _ids,
    "folder": _folder,
    "certificates": _certificates,
    "proxy": setting_urls.proxy,
    "db_url": setting_urls.database,
    "email_url": setting_urls.mail,
    "broker_url": setting_urls.broker,
}
_WORDS = {
    "bool": "must be true or false",
    "int": "must be a whole number",
    "float": "must be a number",
    "folder": "must be a writable folder",
    "ids": "must be different ids such as partner or new-tenant, separated by commas. An id has at most 20 lower-case "
    f"letters, digits and hyphens, begins with a letter, and is not {FIRST_PROVIDER}",
    "certificates": "must be a file with PEM certificates and without private keys, or such certificates themselves",
    "networks": "must be networks such as 169.254.0.0/16, separated by commas",
    **setting_urls.WORDS,
}


def _either(words: tuple[str, ...]) -> str:
    *others, last = (word or "empty" for word in words)
    return f"{', '.join(others)} or {last}"


def _most(setting: Setting) -> float:
    return math.inf if setting.most is None else setting.most
