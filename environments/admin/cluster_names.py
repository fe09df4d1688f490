"""Checks how a cluster's form says that names are made there, and what sign-in with kubectl needs. Makes no calls."""

from collections.abc import Iterator, Mapping
from typing import Any

from environments.lib.identity import EMAIL, NO_PREFIX, RESERVED
from environments.models import Cluster

_ISSUER = "Enter the issuer that the API server trusts, for example https://idp.example.com/realms/acme"
_CLIENT = "Enter the client ID that the API server expects as the audience, for example kubernetes"


def mistakes(cleaned: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong, as a field's name and a sentence; fields that have an error already are missing in `cleaned`."""
    for name in ("username_prefix", "groups_prefix"):
        if str(cleaned.get(name) or "").startswith(RESERVED):
            yield name, f"Names that begin with {RESERVED} are Kubernetes' own. Use another prefix, for example oidc:"
    claim, prefix = cleaned.get("username_claim"), cleaned.get("username_prefix")
    if claim and claim != EMAIL and prefix == "":
        # --oidc-username-prefix has a default for every claim except email; an AuthenticationConfiguration has none.
        issuer = cleaned.get("oidc_issuer") or "ISSUER"
        yield (
            "username_prefix",
            f"Enter {NO_PREFIX} if there is none. An API server with --oidc-username-claim={claim} and without "
            f"--oidc-username-prefix uses the prefix {issuer}#",
        )
    if cleaned.get("bind_members") is False and cleaned.get("bind_groups") is False:
        yield "bind_groups", "Role bindings must name members, groups or both. Select at least one."
    if cleaned.get("access") == Cluster.Access.OIDC:
        yield from _missing(cleaned)


def _missing(cleaned: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, sentence in (("oidc_issuer", _ISSUER), ("oidc_client_id", _CLIENT)):
        if cleaned.get(name) == "":
            yield name, sentence
    if "openid" not in str(cleaned.get("oidc_scopes", "openid")).split():
        yield "oidc_scopes", "Add openid. Without this scope the provider issues no ID token."
