"""Compares what people pasted of their own token with what a cluster's settings lead to, line by line. Pure.

What a real API server refuses, each in its line: another issuer or audience, a token that has expired, an address that
is not verified (or said to be in the wrong type), a missing claim, and another spelling of a name.
Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from environments.lib.identity import EMAIL, Naming, lower_ascii, prefix
from environments.lib.pasted_tokens import Claims, Whoami

OK, BAD, UNKNOWN = "ok", "bad", ""
_SHOWN = 200  # characters of a value


@dataclass(frozen=True)
class Expected:
    """What a person's token on a cluster should be. Empty: not known."""

    naming: Naming
    issuer: str
    client_id: str
    groups_claim: str
    username: str
    groups: tuple[str, ...] = ()  # each is needed
    by_name: bool = False  # a role binding names the person, so a missing group does no harm


@dataclass(frozen=True)
class Line:
    """One fact of a token: what was expected, what it is, and what that means. `tone`: ok, bad or empty (not known)."""

    label: str
    expected: str
    actual: str
    tone: str
    note: str = ""


def of_whoami(expected: Expected, seen: Whoami) -> list[Line]:
    """The user name and the groups that the API server made of the token."""
    return [_user(expected, seen.username), *_groups(expected, seen.groups, "The API server does not see this group.")]


def of_claims(expected: Expected, seen: Claims, now: datetime) -> list[Line]:
    """What the token says, in the order in which an API server looks at it."""
    values = seen.values
    lines = [_issuer(expected, values), _audience(expected, values), _expiry(values, now)]
    if expected.naming.username_claim == EMAIL:
        lines.append(_verified(values))
    return [*lines, *_claimed_user(expected, values), *_claimed_groups(expected, values)]


def is_good(lines: list[Line]) -> bool:
    """Whether nothing differs, and nothing is unknown."""
    return all(line.tone == OK for line in lines)


def is_bad(lines: list[Line]) -> bool:
    """Whether something differs."""
    return any(line.tone == BAD for line in lines)


def _user(expected: Expected, actual: str) -> Line:
    if not expected.username:
        claim = expected.naming.username_claim
        return Line("User name", "not known", actual, UNKNOWN, f"The portal does not know the claim {claim}.")
    same = actual == expected.username
    note = "" if same else _difference(expected.naming, expected.username, actual)
    return Line("User name", expected.username, actual, OK if same else BAD, note)


def _difference(naming: Naming, expected: str, actual: str) -> str:
    """Why two names that differ may do so."""
    if lower_ascii(expected) == lower_ascii(actual):
        return "Only the case differs. Kubernetes compares names exactly."
    before = prefix(naming.username_prefix)
    if actual.endswith(expected.removeprefix(before)) or expected.endswith(actual):
        return "The prefix differs from the cluster's settings."
    return "The API server makes this name of another claim, or this is another person's token."


def _groups(expected: Expected, actual: tuple[str, ...], missing: str) -> Iterator[Line]:
    for group in expected.groups:
        if group in actual:
            yield Line("Group", group, group, OK)
            continue
        near = next((name for name in actual if _is_near(group, name)), "")
        note = "This may be it: the name differs from the cluster's settings." if near else missing
        if expected.by_name and not near:
            note += " Access works by name. The group appears after the next sign-in."
        yield Line("Group", group, near or "missing", UNKNOWN if expected.by_name and not near else BAD, note)


def _is_near(expected: str, actual: str) -> bool:
    """Whether two names may be one group's: one ends in the other's last part, in any case."""
    last, mine = (lower_ascii(name).rpartition("/")[2].rpartition(":")[2] for name in (expected, actual))
    return len(last) > 2 and last == mine


def _issuer(expected: Expected, values: dict[str, Any]) -> Line:
    actual = _shown(values.get("iss"))
    same = values.get("iss") == expected.issuer
    note = ""
    if not same:
        slash = isinstance(values.get("iss"), str) and actual.rstrip("/") == expected.issuer.rstrip("/")
        note = "Only the slash at the end differs. API servers compare exactly." if slash else "Another issuer's token."
    return Line("Issuer (iss)", expected.issuer, actual, OK if same else BAD, note)


def _audience(expected: Expected, values: dict[str, Any]) -> Line:
    said = values.get("aud")
    audiences = said if isinstance(said, list) else [said]
    good = expected.client_id in audiences
    note = "" if good else "The token was made for another client, so the API server refuses it."
    return Line("Audience (aud)", expected.client_id, _shown(said), OK if good else BAD, note)


def _expiry(values: dict[str, Any], now: datetime) -> Line:
    said = values.get("exp")
    try:
        ends = datetime.fromtimestamp(said, UTC)  # type: ignore[arg-type] # checked by the exception
    except (TypeError, ValueError, OverflowError, OSError):
        return Line("Expiry (exp)", "in the future", _shown(said), BAD, "The token does not say when it expires.")
    good = ends > now
    text = f"{ends:%-d %B %Y, %H:%M} UTC"
    return Line("Expiry (exp)", "in the future", text, OK if good else BAD, "" if good else "The token has expired.")


def _verified(values: dict[str, Any]) -> Line:
    said = values.get("email_verified")
    label, expected = "Address verified (email_verified)", "true, or no such claim"
    if "email_verified" not in values or said is True:
        return Line(label, expected, _shown(said), OK)
    note = "The API server refuses addresses that the provider has not verified."
    if isinstance(said, str):
        note = "The provider sends a text. An API server takes only true without quotes, and refuses this."
    return Line(label, expected, _shown(said), BAD, note)


def _claimed_user(expected: Expected, values: dict[str, Any]) -> Iterator[Line]:
    claim = expected.naming.username_claim
    said = values.get(claim)
    if not isinstance(said, str) or not said:
        yield Line(f"User name ({claim})", expected.username or "not known", _shown(said), BAD, "No such claim.")
        return
    name = expected.naming.username(said)
    if not name:
        yield Line(f"User name ({claim})", expected.username or "not known", said, BAD, "Reserved for Kubernetes.")
        return
    line = _user(expected, name)
    yield Line(f"User name ({claim})", line.expected, line.actual, line.tone, line.note)


def _claimed_groups(expected: Expected, values: dict[str, Any]) -> Iterator[Line]:
    said, claim = values.get(expected.groups_claim), expected.groups_claim
    missing = f"The token's claim {claim} does not name this group."
    if said is None:
        over = bool(values.get("_claim_names") or values.get("hasgroups")) or "_claim_names" in values
        missing = f"The token has no claim {claim}."
        if over:
            missing = "The person is in more groups than fit into a token, so the provider left all of them out."
        said = []
    names = [said] if isinstance(said, str) else said
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        yield Line(f"Groups ({claim})", "a list of texts", _shown(said), BAD, "The API server cannot read this claim.")
        return
    yield from _groups(expected, tuple(map(expected.naming.claimed_group, names)), missing)


def _shown(value: Any) -> str:
    """A claim's value as a page shows it."""
    if value is None:
        return "missing"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)[:_SHOWN] or "empty"
    if isinstance(value, dict):
        return "an object"
    return f"“{value}”"[:_SHOWN] if isinstance(value, str) and value in ("true", "false") else _word(value)


def _word(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)[:_SHOWN]
