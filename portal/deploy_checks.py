"""`manage.py check --deploy`: unsafe or contradictory settings, each with a sentence that says what to do.

Every rule is pure: it takes the values of the table and returns messages. Django's own checks for the same problems are
silenced (portal/settings.py), because they name Django's settings, which people do not set here.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error, Info, register
from django.core.checks import Warning as Advice
from django.http.request import validate_host

from environments.directory import transport
from portal import env

type Values = Mapping[str, Any]

_LONGEST_CALL = transport.MAX_SECONDS + 5  # seconds; clusters are given less
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_METADATA = ip_address("169.254.169.254")


@register(deploy=True)
def settings_are_safe(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return the messages of all rules."""
    return problems({setting.name: setting.read() for setting in env.TABLE} | {"further": env.further()})


def problems(values: Values) -> list[CheckMessage]:
    """The messages about these values."""
    return [message for rule in _RULES for message in rule(values)]


def _keys(values: Values) -> Iterator[CheckMessage]:
    key, former = values["SECRET_KEY"], values["SECRET_KEY_FALLBACKS"]
    if not key:
        yield Error(
            "SECRET_KEY is not set. Set at least 50 random characters (openssl rand -base64 48).", id="portal.E010"
        )
    elif _is_weak(key):
        yield Advice(
            "SECRET_KEY is weak. Set at least 50 random characters (openssl rand -base64 48), and keep this key "
            "in SECRET_KEY_FALLBACKS until manage.py rotate_secrets has run.",
            id="portal.W010",
        )
    if key and key in former:
        yield Advice("SECRET_KEY is also in SECRET_KEY_FALLBACKS. Only previous keys belong there.", id="portal.W011")
    if any(_is_weak(old) for old in former if old != key):
        yield Advice(
            "SECRET_KEY_FALLBACKS has a weak key: an attacker who guesses it can sign in. Remove it soon.",
            id="portal.W012",
        )
    if values["SALT_KEY"] in ("", env.default("SALT_KEY")):
        yield Advice(
            "SALT_KEY is the public default. Set your own before you store credentials; you would have to enter stored "
            "ones again.",
            id="portal.W013",
        )


def _web(values: Values) -> Iterator[CheckMessage]:
    if values["DEBUG"]:
        yield Error("DEBUG is true: its error pages show code and settings to everyone.", id="portal.E011")
    if "*" in values["ALLOWED_HOSTS"]:
        yield Advice(
            "ALLOWED_HOSTS has *. List the hosts, or attackers can make links lead elsewhere.", id="portal.W014"
        )
    url = urlsplit(values["PORTAL_URL"])
    if url.scheme not in ("http", "https") or not url.hostname:
        yield Error("PORTAL_URL must be an address such as https://portal.example.com.", id="portal.E012")
        return
    if url.path.strip("/") or url.query or url.fragment:
        yield Error("PORTAL_URL has a path. Remove it; the portal is served at the root of its host.", id="portal.E013")
    if not validate_host(url.hostname, values["ALLOWED_HOSTS"]):
        sentence = f"PORTAL_URL is at {url.hostname}, which is not in ALLOWED_HOSTS: every page would answer 400."
        yield Error(sentence, id="portal.E014")
    yield from _tls(values, url.scheme)


def _tls(values: Values, scheme: str) -> Iterator[CheckMessage]:
    if values["SECURE"] and scheme == "http":
        yield Error(
            "PORTAL_URL begins with http:// while SECURE is true, so sign-in cannot work. Use https://.",
            id="portal.E015",
        )
    elif values["SECURE"] and not values["TRUST_PROXY"]:
        yield Info(
            "SECURE is true and TRUST_PROXY false: behind a proxy that ends TLS every page would redirect to itself. "
            "Set TRUST_PROXY=true if a proxy always sets X-Forwarded-Proto itself.",
            id="portal.I001",
        )
    if not values["SECURE"]:
        yield Advice("SECURE is false: browsers may send session cookies unencrypted.", id="portal.W015")
    elif values["HSTS_SECONDS"] == 0:
        yield Advice("HSTS_SECONDS is 0: a browser's first request may use plain HTTP every time.", id="portal.W016")


def _services(values: Values) -> Iterator[CheckMessage]:
    if values["DATABASE_URL"]["ENGINE"].endswith("sqlite3"):
        yield Advice(
            "DATABASE_URL is SQLite, which works only for one process on one machine. Use postgres://…",
            id="portal.W017",
        )
    broker = values["BROKER_URL"].partition(":")[0]
    if broker == "memory":
        yield Advice(
            "BROKER_URL is memory, which reaches no other process, so workers get no messages. Use redis://…",
            id="portal.W018",
        )
    elif broker not in ("redis", "rediss", "sentinel", "amqp", "amqps"):
        yield Error("BROKER_URL must begin with redis:// or rediss:// (or memory:// in one process).", id="portal.E016")


def _mail(values: Values) -> Iterator[CheckMessage]:
    mail = values["EMAIL_URL"]
    if values["MAIL_FOLDER"]:
        yield Advice(
            "MAIL_FOLDER is set: emails stay in a folder, where platform admins can read all of them. Use it only for "
            "the demo.",
            id="portal.W019",
        )
    elif not mail["EMAIL_BACKEND"].endswith("smtp.EmailBackend"):
        if not values["LOCAL_ACCOUNTS"]:  # otherwise portal.W002 reports it
            yield Advice(
                "EMAIL_URL sends nothing, so owners get no notice before expiry. Use smtp+tls://…", id="portal.W020"
            )
        return
    elif mail.get("EMAIL_HOST_PASSWORD") and not (mail.get("EMAIL_USE_TLS") or mail.get("EMAIL_USE_SSL")):
        yield Advice("EMAIL_URL sends its password unencrypted. Use smtp+tls:// or smtp+ssl://.", id="portal.W021")
    if values["EMAIL_FROM"] == env.default("EMAIL_FROM") and not values["MAIL_FOLDER"]:
        sentence = f"EMAIL_FROM is {values['EMAIL_FROM']}, which mail servers reject. Set an address of your own."
        yield Advice(sentence, id="portal.W022")


def _sign_in(values: Values) -> Iterator[CheckMessage]:
    issuer = values["OIDC_ISSUER"]
    yield from _several_providers(values)
    if not issuer:
        if values["OIDC_CLIENT_ID"] or values["OIDC_CLIENT_SECRET"]:
            yield Advice(
                "OIDC_CLIENT_ID or OIDC_CLIENT_SECRET is set without OIDC_ISSUER, so single sign-on is off.",
                id="portal.W023",
            )
        return
    if urlsplit(issuer).scheme not in ("http", "https") or not urlsplit(issuer).hostname:
        yield Error("OIDC_ISSUER must be an address such as https://idp.example.com/realms/company.", id="portal.E017")
    elif issuer.startswith("http:"):
        yield Advice(
            "OIDC_ISSUER begins with http://: an attacker in the network could sign in as any user.", id="portal.W024"
        )
    if values["OIDC_SCOPES"] and "openid" not in " ".join(values["OIDC_SCOPES"]).split():
        yield Error("OIDC_SCOPES lacks openid, so the provider would return no identity.", id="portal.E018")
    if not values["GROUPS_CLAIM"]:
        yield Advice("GROUPS_CLAIM is empty, so SSO gives users no teams and no roles.", id="portal.W025")
    elif not values["ADMIN_GROUPS"]:
        yield Advice("ADMIN_GROUPS is empty, so SSO makes no user a platform admin.", id="portal.W026")


def _several_providers(values: Values) -> Iterator[CheckMessage]:
    further: dict[str, dict[str, Any]] = values.get("further", {})
    issuers = [values["OIDC_ISSUER"], *(of["ISSUER"] for of in further.values())]
    for one, of in further.items():
        name = env.prefix(one)
        url = urlsplit(of["ISSUER"])
        if url.scheme not in ("http", "https") or not url.hostname:
            yield Error(f"{name}_ISSUER must be an address such as https://idp.example.com.", id="portal.E023")
        elif url.scheme == "http":
            sentence = f"{name}_ISSUER begins with http://: an attacker in the network could sign in as any user."
            yield Advice(sentence, id="portal.W036")
        elif issuers.count(of["ISSUER"]) > 1:
            sentence = f"{name}_ISSUER is another provider's too: people would have an account for each."
            yield Advice(sentence, id="portal.W037")
        if of["SCOPES"] and "openid" not in " ".join(of["SCOPES"]).split():
            sentence = f"{name}_SCOPES lacks openid, so the provider would return no identity."
            yield Error(sentence, id="portal.E024")
    rules = {"OIDC": values["OIDC_EMAILS"]} | {env.prefix(one): of["EMAILS"] for one, of in further.items()}
    for name in [name for name, rule in rules.items() if rule == "always"]:
        yield Advice(
            f"{name}_EMAILS is always: people who can enter an address there get what is shared with it. Use it only "
            "if people cannot change their address at the provider.",
            id="portal.W038",
        )


def _product(values: Values) -> Iterator[CheckMessage]:
    domain = values["LABEL_DOMAIN"]
    if not _SUBDOMAIN.fullmatch(domain):
        yield Error(f"LABEL_DOMAIN is {domain!r}. Use a domain such as allotment.example.com.", id="portal.E019")
    elif re.search(r"(^|\.)(kubernetes|k8s)\.io$", domain):
        yield Error(f"LABEL_DOMAIN is {domain}, which Kubernetes reserves.", id="portal.E020")
    name = values["PORTAL_NAME"]
    if not name.strip() or not name.isprintable():
        yield Error("PORTAL_NAME must be one line of text, because email subjects contain it.", id="portal.E021")


def _static(values: Values) -> Iterator[CheckMessage]:
    if not values["COLLECTED_STATIC"]:
        yield Advice(
            "COLLECTED_STATIC is false: browsers would not cache assets. Use it only for the demo.", id="portal.W027"
        )
    elif not (Path(values["STATIC_ROOT"]) / "staticfiles.json").is_file():
        sentence = f"{values['STATIC_ROOT']} (STATIC_ROOT) has no assets. Run manage.py collectstatic."
        yield Error(sentence, id="portal.E022")


def _work(values: Values) -> Iterator[CheckMessage]:
    if values["LEASE_SECONDS"] < _LONGEST_CALL:
        yield Advice(
            f"LEASE_SECONDS is {values['LEASE_SECONDS']}, and one call may last {_LONGEST_CALL} s: a second worker "
            "could start before the first has finished. Set it higher.",
            id="portal.W028",
        )
    if values["SWEEP_SECONDS"] > 60:
        yield Advice(
            f"SWEEP_SECONDS is {values['SWEEP_SECONDS']:g}: work that is due in more than a minute, or was lost with "
            "the broker, waits that long. Set it to 60 or less.",
            id="portal.W029",
        )
    if values["RESYNC_SECONDS"] < values["OBSERVE_SECONDS"]:
        yield Advice(
            "RESYNC_SECONDS is below OBSERVE_SECONDS: checking each environment costs more than its cluster.",
            id="portal.W030",
        )
    if not any(_METADATA in ip_network(network) for network in values["DENIED_NETWORKS"]):
        sentence = f"DENIED_NETWORKS does not include {_METADATA}, where clouds serve the machine's credentials."
        yield Advice(sentence, id="portal.W031")


def _observability(values: Values) -> Iterator[CheckMessage]:
    token = values["METRICS_TOKEN"]
    if values["LOG_LEVEL"] == "DEBUG":
        yield Advice("LOG_LEVEL is DEBUG: libraries log more than you need, and more than you want.", id="portal.W032")
    if token and len(token) < 20:
        yield Advice(
            "METRICS_TOKEN is short. Set at least 20 random characters (openssl rand -hex 20).", id="portal.W033"
        )
    if token and not values["PROMETHEUS_MULTIPROC_DIR"]:
        yield Advice(
            "METRICS_TOKEN is set without PROMETHEUS_MULTIPROC_DIR: if there are several processes, each reports only "
            "its own numbers.",
            id="portal.W034",
        )
    if values["METRICS_WORKER_PORT"] and not token:
        yield Advice("METRICS_WORKER_PORT is set without METRICS_TOKEN, so workers serve no metrics.", id="portal.W035")


def _is_weak(key: str) -> bool:
    return len(key) < 50 or len(set(key)) < 10 or key.startswith("django-insecure-")


_RULES: tuple[Callable[[Values], Iterator[CheckMessage]], ...] = (
    _keys, _web, _services, _mail, _sign_in, _product, _static, _work, _observability
)  # fmt: skip
