"""Log lines: one JSON object each, or text for people, with the request, user, task, environment and step.

A line holds only the fields named here. Anything else that libraries attach to a record stays out (Django attaches the
whole request, with its query). Users appear as ids, which are no personal data without the database. The portal has its
own formatters so that it controls this list.
"""

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from django.conf import settings
from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import loader
from django.utils.functional import empty

from environments.lib import log_context
from portal import env

access = logging.getLogger("portal.access")

_LONGEST = 20_000  # characters of a message, or of a traceback
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
#: Control characters, line separators, and what turns the direction of writing.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SECRETS = (
    (re.compile(r"\b(Bearer|Basic|SSWS)\s+[\w.~+/=:-]{4,}", re.IGNORECASE), r"\1 …"),
    (re.compile(r"(://)[^/\s@:'\"]*:[^/\s'\"]*@"), r"\1…@"),
    (re.compile(r"\beyJ[\w-]{10,4000}\.[\w-]{1,8000}(\.[\w-]{0,8000})?"), "…"),
    (re.compile(r"\b((?:client_|refresh_|access_|id_)?(?:secret|password|token|assertion|code))=[^&\s'\"]+"), r"\1=…"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), "…"),
)

#: Parts of an address that name something. Any other may be a key that grants access.
_NAMES = frozenset({"namespace", "slug", "pk", "object_id", "number", "app_label", "content_type_id", "provider"})


def clean(text: str) -> str:
    """Return a text without secrets, cut to a readable length."""
    text = log_context.without_secrets(text[: 2 * _LONGEST])
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … (cut)"


def escape(text: str) -> str:
    """Return a text on one line, with line breaks and control characters escaped."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


class JsonFormatter(logging.Formatter):
    """One JSON object per line. JSON escapes everything that could forge another line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": clean(record.getMessage()),
        }
        line |= _fields(record)
        if exception := _exception(self, record):
            line["exception"] = exception
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """A line for people. A traceback follows indented, so that none of its lines looks like a log line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        words = f"{_time(record)} {record.levelname} {record.name} {clean(record.getMessage())}"
        line = escape(f"{words} [{fields}]" if fields else words)
        exception = _exception(self, record)
        return "\n    ".join([line, *(escape(part) for part in exception.split("\n"))]) if exception else line


def configuration(level: str, style: str) -> dict[str, Any]:
    """What logging.config.dictConfig takes. `style` is json or text."""
    formatter = JsonFormatter if style == "json" else TextFormatter
    console = {"class": "logging.StreamHandler", "formatter": "line"}
    to_root = {"handlers": [], "propagate": True}
    # At DEBUG these write whole answers (a member's new token), addresses with people in them, and SQL with values.
    talkative = ("kubernetes", "urllib3", "httpcore", "django.db.backends", "requests_oauthlib", "oauthlib")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"console": console},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {name: {"level": "INFO"} for name in talkative}
        | {"httpx": {"level": "WARNING"}}  # at INFO it writes every URL, with people's addresses in filters
        | {"django": to_root, "django.server": to_root, "gunicorn.error": to_root}
        | {"gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False}},  # it writes queries
    }


class RequestLogMiddleware:
    """Gives each request an id, returns it in a header, and logs a line when the request is done."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer."""
        request_id, start = _request_id(request), time.perf_counter()
        log_context.begin(request_id=request_id, user=lambda: user_id(request))
        response = self._get_response(request)
        response["X-Request-ID"] = request_id
        _write_access(request, response.status_code, time.perf_counter() - start)
        return response

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: Mapping[str, object]) -> None:
        """Keep keys that are part of an address out of every line."""
        log_context.hide(*(str(value) for name, value in kwargs.items() if name not in _NAMES))


@receiver(request_finished)
def end_request(**_: object) -> None:
    """Django writes its own line about an error answer after the middleware; only now is the request over."""
    log_context.begin()


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for server errors, with the request's id for searching the logs."""
    context = {"request_id": log_context.fields().get("request_id", "")}
    return HttpResponse(loader.render_to_string("500.html", context), status=500)


def conceal_settings() -> None:
    """Keep this installation's secrets out of every line: all secret settings, and passwords in URLs."""
    for setting in env.every():
        value = setting.read()
        if setting.secret and value != setting.default:
            log_context.conceal(*_secrets_in(value))


def _secrets_in(value: str | list[str] | dict[str, Any]) -> list[str]:
    if isinstance(value, dict):  # a database or mail URL, read
        return [str(part) for name, part in value.items() if part and name.endswith("PASSWORD")]
    if isinstance(value, list):
        return value
    passwords = re.findall(r"://[^/@\s]*:([^/@\s]+)@", value)
    return [value, *passwords, *map(unquote, passwords)]


def user_id(request: HttpRequest) -> str:
    """The signed-in user's id, if it is already loaded: logging must not query the database."""
    user = getattr(request, "user", None)
    if user is None or getattr(user, "_wrapped", None) is empty:
        return ""
    return str(user.pk or "")


def well_formed(request_id: str) -> str:
    """Return an id from outside, or nothing if it is not well-formed."""
    return request_id if _WELL_FORMED.fullmatch(request_id) else ""


def _request_id(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-ID", "") if settings.TRUST_PROXY else ""
    return well_formed(given) or uuid.uuid4().hex


def _write_access(request: HttpRequest, status: int, seconds: float) -> None:
    match = request.resolver_match
    path = request.path[:300]
    quiet = request.path_info in settings.PROBES or path.startswith(settings.STATIC_URL)
    said = {
        "method": request.method or "",
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        "namespace": str(match.kwargs.get("namespace", "")) if match else "",
    }
    # The path without its query, which may hold a sign-in's code or a person's address.
    words = (request.method, path, status, said["duration_ms"])
    access.log(logging.DEBUG if quiet else logging.INFO, "%s %s %s in %s ms", *words, extra={"fields": said})


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {name: clean(value) for name, value in log_context.fields().items()}
    return fields | {name: value for name, value in getattr(record, "fields", {}).items() if value != ""}


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    text = formatter.formatException(record.exc_info) if record.exc_info else ""
    if record.stack_info:
        text += f"\n{record.stack_info}"
    return clean(text)
