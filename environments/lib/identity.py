"""How an API server makes names of an ID token's claims: pure, from what is known about a person and a group.

Bindings, access questions and pages all use `Naming`, so that they speak of the same names. Kubernetes compares names
exactly: a name keeps the spelling of its claim unless the cluster lower-cases it.
Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import TextChoices

EMAIL, SUBJECT, PREFERRED_USERNAME = "email", "sub", "preferred_username"
STANDARD = (EMAIL, SUBJECT, PREFERRED_USERNAME)
DIRECTORY_USERNAME = "username"  # in clusters from before: preferred_username, or the directory's user name
NO_PREFIX = "-"  # as in --oidc-username-prefix=-
RESERVED = "system:"  # names of Kubernetes' own users and groups begin with it

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class GroupsBy(TextChoices):
    """What a token's groups claim holds of a group."""

    NAME = "name", "The group's name"
    PATH = "path", "The group's full path, for example /name (Keycloak)"
    ID = "id", "The directory's ID of the group (Entra ID)"


@dataclass(frozen=True)
class TokenFacts:
    """What is known about the claims that a person's ID token will have. Empty: not known.

    `groups` are values of the groups claim, as the provider sent them; `other` are further claims by name.
    """

    sub: str = ""
    email: str = ""
    preferred_username: str = ""
    groups: tuple[str, ...] = ()
    other: Mapping[str, str] = field(default_factory=dict)

    def claim(self, name: str) -> str:
        """The value of a claim, empty if it is not known."""
        known = {SUBJECT: self.sub, EMAIL: self.email, PREFERRED_USERNAME: self.preferred_username}
        return known.get(name) or self.other.get(name, "")


def token_facts(said: Mapping[str, Any], issuer: str = "", email: str = "") -> TokenFacts:
    """The facts in what signing in to the portal brought: claims by name with `iss`, as `User.token_facts`.

    A cluster that trusts another `issuer` gets other claims, so then nothing of it is known. `email` is what is known
    of the address otherwise.
    """
    if issuer and said.get("iss", issuer).rstrip("/") != issuer.rstrip("/"):
        said = {}
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    return TokenFacts(
        sub=texts.pop(SUBJECT, ""),
        email=texts.pop(EMAIL, "") or email,
        preferred_username=texts.pop(PREFERRED_USERNAME, ""),
        groups=tuple(value for value in said.get("groups") or () if isinstance(value, str)),
        other=texts,
    )


@dataclass(frozen=True)
class Naming:
    """How a cluster's API server names people and groups, and what role bindings name."""

    username_claim: str = EMAIL
    username_prefix: str = ""
    groups_prefix: str = ""
    bind_members: bool = True
    username_lowercase: bool = False
    groups_by: str = GroupsBy.NAME
    bind_groups: bool = True

    def user(self, facts: TokenFacts) -> str:
        """A person's user name on the cluster; empty if it is not known, or if it is reserved for Kubernetes."""
        return self.username(facts.claim(self.username_claim))

    def username(self, claim: str) -> str:
        """The user name that the API server makes of the claim's value; empty as in `user`."""
        name = prefix(self.username_prefix) + (lower_ascii(claim) if self.username_lowercase else claim)
        return "" if not claim or name.startswith(RESERVED) else name

    def group(self, name: str, directory_id: str = "") -> str:
        """The name on the cluster of a directory group; empty if its ID is needed and not known yet."""
        value = {GroupsBy.PATH: f"/{name}", GroupsBy.ID: directory_id}.get(GroupsBy(self.groups_by), name)
        return self.claimed_group(value)

    def claimed_group(self, value: str) -> str:
        """The name on the cluster of a value of the groups claim."""
        return prefix(self.groups_prefix) + value if value else ""

    def existing_group(self, name: str, path: str = "", directory_id: str = "") -> str:
        """The name on the cluster of a group that the portal did not make; empty if it is reserved, or not known."""
        by_path = self.groups_by == GroupsBy.PATH and path
        found = self.claimed_group(path) if by_path else self.group(name, directory_id)
        return "" if found.startswith(RESERVED) else found

    def groups(self, facts: TokenFacts) -> tuple[str, ...]:
        """The names on the cluster of all groups that a person is known to be in."""
        return tuple(sorted({self.claimed_group(value) for value in facts.groups} - {""}))


def prefix(text: str) -> str:
    """A prefix as the API server puts it before names: a hyphen alone stands for none."""
    return "" if text == NO_PREFIX else text


def lower_ascii(text: str) -> str:
    """The text in lower case as CEL's `lowerAscii()` gives it: letters outside ASCII stay as they are.

    Source: https://pkg.go.dev/github.com/google/cel-go/ext#Strings
    """
    return text.translate(_LOWER)
