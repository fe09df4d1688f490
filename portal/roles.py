"""Roles from the groups claim: every sign-in decides again what a user can do in the portal.

A group's name means something at one identity provider only: another may have a group of the same name.

A user loses roles and teams that the claim no longer names, even if an admin created the account. Local accounts have
no claim; platform admins set their role and teams.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from environments.models import Invitation, Team, User
from portal.providers import IdentityProvider


@dataclass(frozen=True)
class Roles:
    """What a groups claim means. `groups` are its values, each once; teams are looked up by them."""

    groups: tuple[str, ...] = ()
    is_platform_admin: bool = False
    is_manager: bool = False


def groups_from_claim(claim: Any) -> tuple[str, ...]:
    """The values of a groups claim in its order, each once: a list, or one string; anything else means none."""
    values = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    texts = (value.strip() for value in values if isinstance(value, str))
    return tuple(dict.fromkeys(text for text in texts if text))


def roles_from_claim(claim: Any, provider: IdentityProvider) -> Roles:
    """Return what a groups claim means, by the provider's groups for admins and managers. Pure."""
    groups = groups_from_claim(claim)
    return Roles(
        groups=groups,
        is_platform_admin=not set(groups).isdisjoint(provider.admin_groups),
        is_manager=not set(groups).isdisjoint(provider.manager_groups),
    )


@transaction.atomic
def apply_claim(user: User, claim: Any, provider: IdentityProvider) -> Roles:
    """Give the user exactly the roles and teams of the provider's claim, save them, and return the roles."""
    roles = roles_from_claim(claim, provider)
    user.groups_claim = list(roles.groups)
    user.is_superuser = user.is_staff = roles.is_platform_admin
    user.is_manager = roles.is_manager
    user.save(update_fields=["groups_claim", "is_superuser", "is_staff", "is_manager"])
    user.teams.set(_teams("group", roles.groups, provider))
    user.managed_teams.set(_teams("manager_group", roles.groups, provider))
    return roles


def _teams(column: str, groups: tuple[str, ...], provider: IdentityProvider) -> list[Team]:
    """The teams that name one of these groups of this provider."""
    further = Q(further_groups__provider=provider.id) & Q(**{f"further_groups__{column}__in": groups})
    first = Q(**{f"{column}__in": groups}) if provider.is_first else Q(pk=None)
    return list(Team.objects.filter(first | further).distinct())


@transaction.atomic
def give(user: User, role: str, teams: Iterable[Team]) -> None:
    """Give a local account a role (`Invitation.Role`) and teams: a manager manages them, others are members."""
    user.is_superuser = user.is_staff = role == Invitation.Role.ADMIN
    user.is_manager = role == Invitation.Role.MANAGER
    user.save(update_fields=["is_superuser", "is_staff", "is_manager"])
    (user.managed_teams if user.is_manager else user.teams).set(teams)
