"""Reads what people paste about their own token on a cluster: the answer of `kubectl auth whoami`, or printed claims.

Tokens themselves are refused before anything else looks at them. What is kept is a small part of what was pasted.
Source: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/self-subject-review-v1/
"""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from environments.lib import bounds

MAX_PASTE = 64 * 1024  # characters; 2,000 groups with long names fit
_MAX_TEXT, _MAX_ITEMS = 1024, 2000  # of one name; of one list
WHOAMI = "kubectl auth whoami -o json"
#: What is read of a token besides its names. The last two say that an Entra ID token leaves the groups out.
STANDARD = ("iss", "aud", "exp", "iat", "email_verified", "_claim_names", "hasgroups")

#: A JWT begins with a JSON object in base64url, `{"`; a kubeconfig or an answer of a plugin may hold one, or a key.
_SECRETS = re.compile(
    r"eyJ[\w-]{6,}\.[\w-]{4,}|-----BEGIN|client-key-data|\"?kind\"?:\s*\"?ExecCredential"
    r"|\b(?:id|access|refresh)[-_]token\b|(?:^|[{,])\s*\"?token\"?\s*:",
    re.MULTILINE,
)
#: Runs the plugin of the current context, and prints of its token only what follows as arguments.
_PROGRAM = (
    "import base64,json,subprocess as s,sys;"
    'u=json.loads(s.check_output(["kubectl","config","view","--raw","--minify","-o","json"]))["users"][0]["user"]["exec"];'
    't=json.loads(s.check_output([u["command"],*(u.get("args") or [])]))["status"]["token"].split(".")[1];'
    'c=json.loads(base64.urlsafe_b64decode(t+"="*(-len(t)%4)));'
    "print(json.dumps({k:c[k] for k in sys.argv[1:] if k in c}))"
)


@dataclass(frozen=True)
class Whoami:
    """Whom an API server takes the holder of a token for."""

    username: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Claims:
    """What a token says, as far as it is about names and where it is good."""

    values: dict[str, Any]

    @property
    def lifetime(self) -> int | None:
        """How many seconds the token is valid, None if it does not say so or says nonsense."""
        begins, ends = self.values.get("iat"), self.values.get("exp")
        if not isinstance(begins, int | float) or not isinstance(ends, int | float):
            return None
        return int(ends - begins) if 0 < ends - begins < 10 * 366 * 86400 else None


def claims_line(claims: Iterable[str]) -> str:
    """The line that decodes a token on the person's own computer, and prints these claims and `STANDARD` alone."""
    names = dict.fromkeys((*STANDARD[:4], *claims, *STANDARD[4:]))
    return f"python3 -c {shlex.quote(_PROGRAM)} {' '.join(map(shlex.quote, names))}"


def read(text: str, claims: Iterable[str]) -> Whoami | Claims:
    """What was pasted; of printed claims, those named and `STANDARD`.

    Raises ValueError, with a sentence that quotes nothing, for a token and for all that is not one of the two.
    """
    if _SECRETS.search(text):
        raise ValueError(
            "This contains a token or a key, so the portal did not keep it. Never paste one into a page. "
            "Paste only what one of the two commands prints."
        )
    if len(text) > MAX_PASTE:
        raise ValueError(f"This has {len(text)} characters; the limit is {MAX_PASTE}.")
    try:
        value = bounds.json_value(text.strip().encode())
    except (ValueError, UnicodeError):
        raise ValueError(f"This is not JSON. Paste all that the command prints, for example: {WHOAMI}") from None
    if not isinstance(value, dict):
        raise ValueError(f"This is not what the command prints. Run: {WHOAMI}")
    return _whoami(value) if "kind" in value else _claims(value, claims)


def _whoami(value: dict[str, Any]) -> Whoami:
    status = value.get("status")
    user = status.get("userInfo") if isinstance(status, dict) else None
    if value.get("kind") != "SelfSubjectReview" or not isinstance(user, dict):
        raise ValueError(f"This is another Kubernetes object than the command prints. Run: {WHOAMI}")
    name, groups = user.get("username"), user.get("groups") or []
    if not _is_text(name) or not name:
        raise ValueError(f"This has no valid user name. Run: {WHOAMI}")
    if not isinstance(groups, list) or len(groups) > _MAX_ITEMS or not all(map(_is_text, groups)):
        raise ValueError(f"The groups in this cannot be read. Run: {WHOAMI}")
    return Whoami(str(name), tuple(groups))


def _claims(value: dict[str, Any], claims: Iterable[str]) -> Claims:
    found = {name: _kept(value[name]) for name in (*STANDARD, *claims) if name in value}
    if not {"iss", "aud"} & found.keys():
        raise ValueError("This has no issuer and no audience of a token. Paste what one of the two commands prints.")
    return Claims(found)


def _kept(value: Any) -> Any:
    """A claim as it is stored: texts, numbers, truth values and lists of them; an empty object for anything else."""
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return [_kept(item) if not isinstance(item, list) else {} for item in value[:_MAX_ITEMS]]
    return {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT
