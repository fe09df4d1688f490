"""Checks, from the portal's side, whether API server and kubelogin can use an issuer: never with a credential.

What is asked: the discovery document, the keys, and the authorization endpoint as kubelogin asks it. With
`prompt=none` no one has to sign in.
Source: https://openid.net/specs/openid-connect-discovery-1_0.html,
https://openid.net/specs/openid-connect-core-1_0.html#AuthError,
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#configuring-the-api-server
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from environments.kube import transport
from environments.lib import bounds, destinations, proxies, tls, tls_problems
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError

CONNECT, ANSWER, MAX_SECONDS = 3, 5, 8  # seconds; the last for one answer, however slowly it trickles in
MAX_BYTES = 512 * 1024
REDIRECTS = ("http://localhost:8000", "http://localhost:18000")  # kubelogin's
OK, WARN, BAD = "ok", "warn", "bad"

#: What API servers can verify. An issuer that signs with the client's secret (HS256) is not among them.
_ALGORITHMS = {f"{kind}{size}" for kind in ("RS", "ES", "PS") for size in (256, 384, 512)}
#: Nobody is signed in, which is what `prompt=none` is told where all else is right.
_ASKS_TO_SIGN_IN = {"login_required", "interaction_required", "consent_required", "account_selection_required"}
_NO_GROUPS = "The provider has no scope groups, so every sign-in with kubectl ends in an error."
_INSTEAD = "Remove groups from the scopes, and have the provider add the groups claim to the client's tokens."


@dataclass(frozen=True)
class Issuer:
    """What a cluster says of its issuer."""

    url: str
    client_id: str
    scopes: tuple[str, ...]
    authority: str = ""  # PEM; empty: the system's
    username_claim: str = "email"
    groups_claim: str = "groups"


@dataclass(frozen=True)
class Remark:
    """One thing that was found out."""

    tone: str  # ok, warn or bad
    text: str


@dataclass(frozen=True)
class _Answer:
    status: int
    location: str
    content: bytes


def look(issuer: Issuer) -> list[Remark]:
    """What was found out, in the order in which it was asked. A provider that does not answer is a remark, too."""
    try:
        return list(_remarks(issuer))
    except ReconcileError as error:
        return [Remark(BAD, error.message)]


def _remarks(issuer: Issuer) -> Iterator[Remark]:
    if urlsplit(issuer.url).scheme != "https":
        yield Remark(BAD, "The issuer's address must begin with https://. API servers accept no other.")
    found = _discovered(issuer)
    yield Remark(OK, "The issuer's discovery document is there, and its certificate is trusted.")
    if found.get("issuer") != issuer.url:
        said = str(found.get("issuer"))[:200]
        yield Remark(BAD, f"The provider calls itself {said}. API servers compare exactly: enter it like this.")
    yield from _of_keys(issuer, found)
    yield from _of_claims(issuer, found)
    yield from _of_client(issuer, found)


def _discovered(issuer: Issuer) -> dict[str, Any]:
    """The discovery document. Raises one of the two errors."""
    answer = _fetch(issuer, f"{issuer.url.rstrip('/')}/.well-known/openid-configuration")
    if answer.status != 200:
        raise PermanentError(f"The issuer has no discovery document: its answer has the status {answer.status}.")
    return _object(answer, "discovery document")


def _object(answer: _Answer, what: str) -> dict[str, Any]:
    try:
        value = bounds.json_value(answer.content)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise PermanentError(f"The issuer's {what} is not a JSON object.")
    return value


def _of_keys(issuer: Issuer, found: dict[str, Any]) -> Iterator[Remark]:
    algorithms = _texts(found.get("id_token_signing_alg_values_supported"))
    if algorithms and not _ALGORITHMS & algorithms:
        yield Remark(BAD, f"The provider signs with {', '.join(sorted(algorithms))}, which API servers cannot verify.")
    answer = _fetch(issuer, str(found.get("jwks_uri") or ""))
    keys = _object(answer, "list of keys").get("keys") if answer.status == 200 else None
    if not isinstance(keys, list) or not keys:
        yield Remark(BAD, "The issuer's list of keys (jwks_uri) cannot be read, so API servers can verify no token.")


def _of_claims(issuer: Issuer, found: dict[str, Any]) -> Iterator[Remark]:
    if issuer.username_claim == "sub" and _texts(found.get("subject_types_supported")) == {"pairwise"}:
        yield Remark(
            WARN,
            "The provider gives each client another sub for the same person. The portal knows only its own, so names "
            "made of sub will differ. Use another claim, for example email.",
        )
    claims = _texts(found.get("claims_supported"))
    missing = [name for name in (issuer.username_claim, issuer.groups_claim) if claims and name not in claims]
    if missing:
        yield Remark(WARN, f"The provider does not list the claim {' and '.join(missing)}. Check it with a real token.")


def _of_client(issuer: Issuer, found: dict[str, Any]) -> Iterator[Remark]:
    """Whether the provider takes the client, its redirect URI and the scopes."""
    tone, text, error = _asked(issuer, found)
    if error == "invalid_scope":
        refused = f"The provider refuses the scopes {' '.join(issuer.scopes)} (invalid_scope)."
        yield Remark(BAD, f"{_NO_GROUPS} {_INSTEAD}" if _lacks_groups(issuer, found) else refused)
        return
    yield Remark(tone, text)
    supported = _texts(found.get("scopes_supported"))
    unlisted = [scope for scope in issuer.scopes if supported and scope not in supported]
    if unlisted:
        instead = f" {_INSTEAD}" if "groups" in unlisted else ""
        yield Remark(WARN, f"The provider does not list the scope {' and '.join(unlisted)}.{instead}")


def _lacks_groups(issuer: Issuer, found: dict[str, Any]) -> bool:
    """Whether the provider accepts the scopes without `groups`."""
    fewer = tuple(scope for scope in issuer.scopes if scope != "groups")
    return fewer != issuer.scopes and _asked(replace(issuer, scopes=fewer), found)[2] != "invalid_scope"


def _asked(issuer: Issuer, found: dict[str, Any]) -> tuple[str, str, str]:
    """What the authorization endpoint answers to kubelogin: tone, sentence, and the error's code if it has one."""
    answer = _fetch(issuer, _authorization(issuer, str(found.get("authorization_endpoint") or "")))
    if 300 <= answer.status < 400:
        return _redirected(answer.location)
    if answer.status == 200:
        text = (
            "The provider answers with a page. Only signing in shows whether it accepts the client ID and the scopes."
        )
        return WARN, text, ""
    text = f"The provider refuses the client ID {issuer.client_id} or its redirect URI (status {answer.status})."
    return BAD, f"{text} Register {' and '.join(REDIRECTS)} for a public client with this ID.", ""


def _redirected(location: str) -> tuple[str, str, str]:
    parts = urlsplit(location)
    query = parse_qs(parts.query) | parse_qs(parts.fragment)
    error = query.get("error", [""])[0][:60]
    if error in _ASKS_TO_SIGN_IN or (not error and not location.startswith(REDIRECTS[0])):
        return OK, "The provider accepts the client ID, its redirect URI and the scopes.", ""
    if not error:
        return WARN, "The provider answers in an unexpected way. Check the client by signing in once.", ""
    return BAD, f"The provider refuses sign-in with this client ({error}).", error


def _authorization(issuer: Issuer, endpoint: str) -> str:
    """The address that kubelogin opens. The challenge is RFC 7636's example: nothing is redeemed."""
    query = {
        "client_id": issuer.client_id,
        "redirect_uri": REDIRECTS[0],
        "response_type": "code",
        "scope": " ".join(issuer.scopes),
        "state": "allotment-check",
        "nonce": "allotment-check",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "prompt": "none",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def _texts(value: Any) -> set[str]:
    return {item for item in value if isinstance(item, str)} if isinstance(value, list) else set()


def _fetch(issuer: Issuer, url: str) -> _Answer:
    """GET without following redirects, within the portal's limits. Raises one of the two errors."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise PermanentError("The issuer's discovery document lacks an address.", reason="BadAnswer")
    destinations.check_url(url)
    timeout = urllib3.Timeout(connect=CONNECT, read=ANSWER)
    pools = _pools(issuer, url)
    try:
        with bounds.within(MAX_SECONDS, MAX_BYTES):
            headers = {"Accept": "application/json, text/html"}
            response = pools.urlopen(
                "GET", url, redirect=False, preload_content=False, headers=headers, timeout=timeout
            )
            return _Answer(response.status, str(response.headers.get("Location") or ""), transport.read(response))
    except (HTTPError, OSError) as error:
        raise _unreachable(error) from error
    finally:
        pools.clear()


def _pools(issuer: Issuer, url: str) -> urllib3.PoolManager:
    try:
        context = tls.context(issuer.authority) if issuer.authority else tls.shared()
    except ValueError as error:
        raise PermanentError("The issuer's certificate authority cannot be read.", reason="BadCertificate") from error
    return transport.pools(context, proxy=proxies.proxy_for(url))


def _unreachable(error: Exception) -> TemporaryError:
    """A call without an answer; the error's own words may hold addresses."""
    found = tls_problems.explain(error, "issuer", trust="Enter it as the issuer's certificate authority.")
    return TemporaryError(found.text, reason=found.reason)
