"""Addresses in settings: read in one place, exactly, and refused without a word of what is in them.

Libraries read an address with a special character in its password in their own ways: what comes after `#` or `/` is
then a fragment or a path, which their errors and logs quote. So an address that can be read in two ways is refused,
and the libraries get it with all special characters encoded.
Source: https://www.rfc-editor.org/rfc/rfc3986#section-3.2
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import environ

DATABASES = {"django.db.backends.sqlite3": "sqlite", "django.db.backends.postgresql": "postgres"}
_BROKERS = ("redis", "rediss", "sentinel", "amqp", "amqps", "memory")
_CHECKS = frozenset({"required", "CERT_REQUIRED"})
_CONTROL = re.compile("[\0-\x1f\x7f\ud800-\udfff]")

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?:(?P<user>[^\s:/?#@\[\]]*)(?::(?P<password>[^\s/?#@\[\]]*))?@)?"
    r"(?P<host>(?:\[[0-9A-Fa-f:.%]+\]|[\w.%-]+)?(?::[0-9]{1,5})?(?:,(?:\[[0-9A-Fa-f:.%]+\]|[\w.%-]+)(?::[0-9]{1,5})?)*)"
    r"(?P<path>/[^\s?#]*)?(?:\?(?P<query>[^\s#]*))?"
)

#: What a value must be, by its kind. The same sentence for every mistake: a closer one would have to quote it.
WORDS = {
    "db_url": "must be postgres://user:password@host:5432/name (special characters percent-encoded) or sqlite:///path",
    "email_url": "must be like smtp+tls://user:password@host:587 (special characters percent-encoded), "
    "or consolemail://",
    "broker_url": "must be redis://user:password@host:6379/0 or rediss://… (special characters percent-encoded, and no "
    "option that turns certificate checks off), or memory:// in one process",
    "proxy": "must be http://user:password@host:3128 (special characters percent-encoded)",
}


@dataclass(frozen=True)
class Url:
    """An address that can be read in one way only. `user` and `password` are decoded; `hosts` has the ports."""

    scheme: str
    user: str
    password: str
    hosts: str
    path: str
    query: str

    @property
    def host(self) -> str:
        """The first host, without its port."""
        first = self.hosts.partition(",")[0]
        return re.sub(r":[0-9]+$", "", first).strip("[]")

    def __str__(self) -> str:
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        name = f"{user}{':' * bool(password)}{password}@" if user or password else ""
        return f"{self.scheme}://{name}{self.hosts}{self.path}{'?' * bool(self.query)}{self.query}"


def parse(text: str) -> Url:
    """An address from a setting. Raises ValueError, which quotes nothing."""
    found = _URL.fullmatch(text)
    if not found or ("@" in (found["path"] or "") + (found["query"] or "") and found["scheme"] != "sqlite"):
        raise ValueError
    user, password = unquote(found["user"] or ""), unquote(found["password"] or "")
    if _CONTROL.search(user + password + unquote(found["path"] or "")):
        raise ValueError
    return Url(found["scheme"], user, password, found["host"], found["path"] or "", found["query"] or "")


def database(text: str) -> dict[str, Any]:
    """Django's configuration of a database. Raises ValueError."""
    if text == "sqlite://:memory:":
        return dict(environ.Env.db_url_config(text))
    url = parse(text)
    if url.scheme not in ("sqlite", *environ.Env.POSTGRES_FAMILY):
        raise ValueError
    config: dict[str, Any] = environ.Env.db_url_config(str(url))
    if config.get("ENGINE") not in DATABASES or not config.get("NAME"):
        raise ValueError
    return config


def mail(text: str) -> dict[str, Any]:
    """Django's configuration of a mail server. Raises ValueError, KeyError."""
    url = parse(text)
    if url.scheme not in environ.Env.EMAIL_SCHEMES:
        raise ValueError
    config: dict[str, Any] = environ.Env.email_url_config(str(url))
    if config["EMAIL_BACKEND"].endswith("smtp.EmailBackend") and not config["EMAIL_HOST"]:
        raise ValueError
    return config


def broker(text: str) -> str:
    """The broker's address, or several with `;` between them. Raises ValueError."""
    urls = [parse(part) for part in text.split(";")]
    if any(url.scheme not in _BROKERS or not (url.hosts or url.scheme == "memory") for url in urls):
        raise ValueError
    options = [option for url in urls for option in parse_qsl(url.query)]
    if any(name == "ssl_cert_reqs" and value not in _CHECKS for name, value in options):
        raise ValueError
    if any(name == "ssl_check_hostname" and value.lower() != "true" for name, value in options):
        raise ValueError
    return ";".join(map(str, urls))


def proxy(text: str) -> str:
    """A proxy's address; without a scheme it is http. Raises ValueError."""
    if not text:
        return ""
    url = parse(text if "://" in text else f"http://{text}")
    if url.scheme not in ("http", "https") or not url.host or "," in url.hosts or url.path.strip("/") or url.query:
        raise ValueError
    return f"{url.scheme}://{str(url).partition('://')[2].rstrip('/')}"
