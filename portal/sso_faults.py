"""What can go wrong in a sign-in: each fault with its kind, its code, the host that it is about, and a sentence.

The log gets kind, code and host; the page gets the sentence. Neither gets a token, a code, a secret, or what a provider
wrote in its own words, which may name people.

Sources: RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6 (the errors' codes).
"""

import re
import ssl
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from allauth.socialaccount.providers.base import ProviderException

from environments.lib import tls_problems
from environments.lib.errors import PermanentError


class Kind(StrEnum):
    """What a fault is about, as the log has it."""

    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    DISCOVERY = "discovery"
    ISSUER = "issuer"
    ANSWER = "answer"
    CLIENT = "client"
    SCOPE = "scope"
    CODE = "code"
    TOKEN = "token"  # noqa: S105
    SIGNATURE = "signature"
    AUDIENCE = "audience"
    NONCE = "nonce"
    CLOCK = "clock"
    PERSON = "person"
    ACCOUNT = "account"
    SESSION = "session"


RETRY = "Your account is fine. Try again in a few minutes. If this continues, tell a platform admin."
ADMIN = "Your account is fine, and trying again does not help. Tell a platform admin."

_BROKEN = f"The identity provider is not responding correctly. {RETRY}"
#: The provider's faults are all 503: some proxies replace the page of a 502 by their own.
_DOWN, _REFUSED = HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.FORBIDDEN


class SignInFault(ProviderException):
    """A sign-in failed. `sentence` is for the person, `status` for the answer; the rest is for the log.

    `sentence` names no one and no secret. `code` is a word of the protocol or of ours.
    """

    def __init__(self, kind: Kind, code: str, sentence: str, *, host: str = "", status: int = _DOWN) -> None:
        super().__init__(f"{kind}: {code}")
        self.kind, self.code, self.sentence, self.host, self.status = kind, code, sentence, host, int(status)

    @property
    def for_admins(self) -> str:
        """The sentence without what it tells people to do, and the code."""
        sentence = self.sentence.replace(RETRY, "").replace(ADMIN, "")
        return f"{' '.join(sentence.split())} ({self.kind}: {self.code}{f', {self.host}' if self.host else ''})".strip()


#: The provider's own codes: what kind each is, what the person reads, and the answer's status.
_CODES: dict[str, tuple[Kind, str, int]] = {
    "access_denied": (
        Kind.PERSON,
        "You cancelled the sign-in, or the identity provider does not let you in.",
        _REFUSED,
    ),
    "login_required": (Kind.PERSON, "The identity provider wants you to sign in there first. Try again.", _REFUSED),
    "interaction_required": (Kind.PERSON, "The identity provider needs an answer from you. Try again.", _REFUSED),
    "consent_required": (
        Kind.PERSON,
        "The identity provider needs your consent, or an admin's. Try again and agree, or tell a platform admin.",
        _REFUSED,
    ),
    "account_selection_required": (Kind.PERSON, "Choose an account at the identity provider. Try again.", _REFUSED),
    "invalid_scope": (
        Kind.SCOPE,
        f"The identity provider does not allow what the portal asks for (invalid_scope). {ADMIN} "
        "The setting OIDC_SCOPES must name only scopes that the provider has for this client.",
        _DOWN,
    ),
    "invalid_client": (
        Kind.CLIENT,
        f"The identity provider does not accept the portal (invalid_client). {ADMIN} "
        "Client ID, secret or key, and OIDC_CLIENT_AUTH must be as the provider has them.",
        _DOWN,
    ),
    "unauthorized_client": (
        Kind.CLIENT,
        f"The identity provider does not let the portal sign people in (unauthorized_client). {ADMIN} "
        "The client must be allowed to use the authorization code flow.",
        _DOWN,
    ),
    "invalid_grant": (
        Kind.CODE,
        "The identity provider did not accept this sign-in (invalid_grant): it took too long, or was used before. "
        "Try again. If this continues, tell a platform admin.",
        HTTPStatus.BAD_REQUEST,
    ),
    "server_error": (Kind.UNREACHABLE, f"The identity provider has a problem (server_error). {RETRY}", _DOWN),
    "temporarily_unavailable": (
        Kind.UNREACHABLE,
        f"The identity provider is busy or in maintenance. {RETRY}",
        _DOWN,
    ),
}
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")
_ENTRA_CODE = re.compile(r"\bAADSTS\d{4,7}\b")  # Entra ID's own, which says much more than the protocol's


def of_answer(answer: Mapping[str, Any], host: str) -> SignInFault:
    """The fault for an error that the provider names, at its authorization or token endpoint."""
    said = answer.get("error")
    code = said if isinstance(said, str) and _CODE.fullmatch(said) else "unknown_error"
    more = _ENTRA_CODE.search(str(answer.get("error_description") or ""))
    kind, sentence, status = _CODES.get(code, (Kind.ANSWER, _unknown(code), _DOWN))
    return SignInFault(kind, f"{code} {more[0]}" if more else code, sentence, host=host, status=status)


def _unknown(code: str) -> str:
    return f"The identity provider is not responding correctly ({code}). {RETRY}"


def broken(code: str, host: str, *, kind: Kind = Kind.ANSWER) -> SignInFault:
    """The fault for an answer that is not what the protocol asks for."""
    return SignInFault(kind, code, _BROKEN, host=host, status=_DOWN)


def expired_state() -> SignInFault:
    """The fault for an answer to no sign-in of this browser."""
    sentence = "Your sign-in expired or was started in another browser. Try again."
    return SignInFault(Kind.SESSION, "unknown_state", sentence, status=HTTPStatus.BAD_REQUEST)


def of_call(error: requests.RequestException, url: str, *, kind: Kind = Kind.ANSWER) -> SignInFault:
    """The fault for a call that failed. `kind` is what a wrong answer is about."""
    host = host_of(url)
    causes = list(tls_problems.causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        problem = tls_problems.explain(error, "identity provider")
        sentence = f"The portal has no secure connection to the identity provider. {ADMIN} {problem.text}"
        return SignInFault(Kind.CERTIFICATE, problem.code, sentence, host=host)
    if denied := next((cause for cause in causes if isinstance(cause, PermanentError)), None):
        sentence = f"The portal does not connect to the address that the identity provider has. {ADMIN}"
        return SignInFault(Kind.UNREACHABLE, denied.reason, sentence, host=host)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _of_status(error.response.status_code, host, kind)
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        timed_out = any(isinstance(cause, requests.Timeout | TimeoutError) for cause in causes)
        return unreachable("timeout" if timed_out else "no_connection", host)
    return broken("not_json" if isinstance(error, requests.JSONDecodeError) else type(error).__name__, host, kind=kind)


def unreachable(code: str, host: str) -> SignInFault:
    """The fault for a provider that does not answer."""
    why = "did not answer in time" if code == "timeout" else "can't be reached"
    return SignInFault(Kind.UNREACHABLE, code, f"The identity provider {why}. {RETRY}", host=host, status=_DOWN)


def host_of(url: str) -> str:
    """Host and port of a URL for the log; empty if it is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2][:255]
    except ValueError:
        return ""


def _of_status(status: int, host: str, kind: Kind) -> SignInFault:
    code = f"http_{status}"
    if kind is Kind.DISCOVERY and 400 <= status < 500:
        sentence = f"The identity provider has no discovery document at this address ({status}). {ADMIN}"
        return SignInFault(kind, code, f"{sentence} OIDC_ISSUER must be its issuer URL.", host=host)
    return broken(code, host, kind=Kind.UNREACHABLE if status >= 500 else kind)
