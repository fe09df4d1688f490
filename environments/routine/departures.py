"""Finds owners who have left, by asking the directory, and tells managers and admins. Changes nothing itself."""

import logging
from collections import defaultdict
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from environments import directory
from environments.directory import DirectoryClient, OwnAccounts, Person
from environments.lib.activity import Activity
from environments.lib.errors import ReconcileError
from environments.models import Directory, Environment, Event, User

logger = logging.getLogger(__name__)


def find() -> None:
    """Look up the owner of every environment, and mark environments whose owner has left or is back.

    If a directory does not answer, nothing changes.
    """
    owned: dict[tuple[User, Directory], list[Environment]] = defaultdict(list)
    for environment in Environment.objects.filter(wanted=True).select_related("owner", "directory"):
        owned[environment.owner, environment.directory].append(environment)
    for (owner, row), environments in owned.items():
        try:
            reason = why_gone(owner, row, timezone.now())
        except ReconcileError as error:
            logger.warning("directory %s: %s", row, error.reason)
            continue
        for environment in environments:
            _mark(environment, reason)


def why_gone(owner: User, row: Directory, now: datetime) -> str:
    """Why an owner counts as having left, as a sentence; empty if they have not. Raises one of the adapter errors."""
    if not owner.is_active:
        return f"The account of {owner.email} is deactivated in the portal."
    person = _find(directory.connect(row), owner)
    if person is None:
        return f"{owner.email} was not found in the directory."
    if _is_another(owner, row, person):
        return f"{owner.email} belongs to another person in the directory now."
    if not person.active:
        return f"The account {owner.email} is deactivated in the directory."
    seen = owner.last_login or owner.date_joined
    if settings.DEPARTED_DAYS and now - seen > timedelta(days=settings.DEPARTED_DAYS):
        return f"{owner.email} has not signed in for {settings.DEPARTED_DAYS} days."
    return ""


def _find(client: DirectoryClient, owner: User) -> Person | None:
    """The owner in the directory: by the account if it is the portal's own, else by the address."""
    return client.find_account(owner.pk) if isinstance(client, OwnAccounts) else client.find_person(owner.email)


def _is_another(owner: User, row: Directory, person: Person) -> bool:
    """Whether the person with the owner's address is not the one whom the portal added as the owner."""
    known = owner.memberships.filter(environment__directory=row, in_group=True).exclude(directory_id="")
    ids = set(known.values_list("directory_id", flat=True))
    return bool(ids) and person.id not in ids


def _mark(environment: Environment, reason: str) -> None:
    """Record a change once, with its event."""
    if bool(reason) == bool(environment.orphaned_at):
        return
    now = timezone.now()
    with transaction.atomic():
        before = Environment.objects.filter(pk=environment.pk, orphaned_at=environment.orphaned_at)
        if not before.update(orphaned_at=now if reason else None, orphaned_why=reason[:200]):
            return
        kind = Activity.ORPHANED if reason else Activity.OWNER_RETURNED
        Event.record(environment, None, kind, reason or f"{environment.owner} is active again.")
