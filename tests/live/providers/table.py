"""The table of providers in docs/identity-providers.md, from what the suite expects of each.

`python -m tests.live.providers.table` prints it.
"""

import sys
from collections.abc import Callable

from tests.live.providers.servers import ALL, BASIC, KEY, POST, DjangoOIDCProvider, Provider

Cell = Callable[[type[Provider]], str]


def _yes_if(name: str, otherwise: str) -> Cell:
    return lambda kind: "yes" if getattr(kind, name) else otherwise


def _basic(kind: type[Provider]) -> str:
    if BASIC not in kind.methods:
        return "not offered"
    return "yes" if kind.basic_is_encoded else "yes, with a secret of letters, digits and `-._~`"


def _verified(kind: type[Provider]) -> str:
    sent = [{True: "true", False: "false", None: "absent"}[value] for value in kind.verified.values()]
    return ", ".join(dict.fromkeys(sent))


_STAYS = "yes; with claims in ID tokens, people stay on its page"


def _check(kind: type[Provider]) -> str:
    if not kind.answers_without_a_page:
        return "yes, but `prompt=none` answers 500"
    return "yes" if kind.lists_scopes else "yes, but scopes are not listed"


ROWS: tuple[tuple[str, Cell], ...] = (
    ("Sign-in, with pages for password and consent", lambda kind: "yes"),
    ("A later sign-in, from another browser, is the same person", lambda kind: "yes"),
    ("`email_verified` can be", _verified),
    ("Groups give roles and teams", lambda kind: "yes"),
    ("Claims are also in the ID token", _yes_if("claims_in_id_token", "no, only `sub`")),
    ("The issuer in the settings, with or without a slash at the end", lambda kind: "yes"),
    ("The issuer is in the authorization response (RFC 9207)", _yes_if("names_issuer", "no")),
    (
        "A scope that the provider does not know",
        lambda kind: f"`{kind.unknown_scope}`" if kind.unknown_scope else "ignored",
    ),
    ("`client_secret_post`", lambda kind: "yes" if POST in kind.methods else "not offered"),
    ("`client_secret_basic`", _basic),
    ("`private_key_jwt`", lambda kind: "yes" if KEY in kind.methods else "not offered"),
    ("`OIDC_CLIENT_AUTH` empty, whichever way with a secret the client is registered for", lambda kind: "yes"),
    ("A wrong secret: `invalid_client` with status", lambda kind: str(kind.wrong_secret)),
    ("A person denies consent: `access_denied`", lambda kind: "yes"),
    (
        "Sign-out at the provider, and back",
        lambda kind: "yes, after a question" if kind.asks_before_sign_out else "yes",
    ),
    ("Sign-out of a member of 250 groups", lambda kind: "yes" if kind is not DjangoOIDCProvider else _STAYS),
    ("Back-Channel Logout, of a person or of one session", _yes_if("back_channel", "not offered")),
    ("*Check sign-in* finds no fault, and a wrong secret", _check),
    ("A new signing key", lambda kind: "yes"),
)


def markdown() -> str:
    """The table."""
    head = ["", *(f"{kind.name} {kind.version()}" for kind in ALL)]
    rows = [[name, *(cell(kind) for kind in ALL)] for name, cell in ROWS]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    sys.stdout.write(markdown())
