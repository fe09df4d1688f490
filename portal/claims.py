"""What an identity provider says about a person, read with care: texts, the address, and the groups.

Source: OpenID Connect Core §5.1 (claims), §5.6.2 (`_claim_names`: a claim that is to be fetched elsewhere). Entra ID
sends that instead of the groups of people who are in too many.
"""

from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from environments.models import User
from portal.providers import IdentityProvider

#: Texts that say nothing about the person, or something else in every token.
_NO_FACTS = frozenset({"iss", "aud", "azp", "nonce", "jti", "sid", "at_hash", "c_hash", "s_hash", "auth_time", "acr"})
_MOST_FACTS, _LONGEST_FACT = 40, 255


@dataclass(frozen=True)
class Claims:
    """What the identity provider says about a person. `email_verified` is None if it says nothing.

    `email` is in lower case, as accounts are looked up; `token_email` and the rest of `token` are as sent.
    """

    provider: str
    issuer: str
    subject: str
    email: str
    email_verified: bool | None
    username: str
    first_name: str
    last_name: str
    groups: Any = None
    groups_problem: str = ""
    token: dict[str, str] = field(default_factory=dict)

    @property
    def token_email(self) -> str:
        """The address as the provider spells it."""
        return self.token.get("email", "")[:254]


def claims_from(extra_data: dict[str, Any], provider: IdentityProvider) -> Claims:
    """Merge the claims of the ID token and of the userinfo endpoint; the latter wins.

    A cluster sees the ID token alone, so its spelling is the one that is kept as sent.
    """
    token, more = extra_data.get("id_token") or {}, extra_data.get("userinfo") or {}
    said = {**token, **more}
    name = text(said, "name").partition(" ")
    return Claims(
        provider=provider.id,
        issuer=exact(token, "iss"),
        subject=exact(token, "sub"),
        email=_email(text(said, "email")),
        email_verified={"true": True, "false": False}.get(str(said.get("email_verified")).casefold()),
        username=text(said, "preferred_username")[:150],
        first_name=(text(said, "given_name") or name[0])[:150],
        last_name=(text(said, "family_name") or name[2])[:150],
        groups=said.get(provider.groups_claim),
        groups_problem=_groups_problem(said, provider.groups_claim),
        token=_facts({**more, **token}),
    )


def text(claims: dict[str, Any], name: str) -> str:
    """A claim that is text; empty for anything else."""
    value = claims.get(name)
    return value.strip() if isinstance(value, str) else ""


def exact(claims: dict[str, Any], name: str) -> str:
    """A claim that is text, with the spaces around it: a key is compared exactly. Empty for anything else."""
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _facts(said: dict[str, Any]) -> dict[str, str]:
    texts = {name: value for name, value in sorted(said.items()) if isinstance(value, str) and name not in _NO_FACTS}
    short = [(name, value) for name, value in texts.items() if max(len(name), len(value)) <= _LONGEST_FACT]
    first = sorted(short, key=lambda each: each[0] not in ("sub", "email", "preferred_username"))
    return dict(first[:_MOST_FACTS])


def _groups_problem(said: dict[str, Any], name: str) -> str:
    """Why the groups claim says less than it should, as a sentence; empty if it is in order."""
    if not name:
        return ""
    if name not in said:
        elsewhere = said.get("_claim_names")
        if (isinstance(elsewhere, dict) and name in elsewhere) or said.get("hasgroups"):
            return (
                f"Your identity provider did not send the claim {name}, because you are in too many groups. "
                "Ask its admin to send only the groups that this portal needs."
            )
        return f"Your identity provider did not send the claim {name}. Ask its admin to add it for this portal."
    value = said[name]
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        return ""
    what = "contains entries that are not text" if isinstance(value, list) else "is not a list of names"
    return f"The claim {name} of your identity provider {what}. Ask its admin to send the groups' names as text."


def _email(address: str) -> str:
    """The address in lower case, empty where it is none."""
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return User.objects.normalize_email(address) if len(address) <= 254 else ""
