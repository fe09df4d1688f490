"""What people call an environment and whose it is: its title, purpose and team."""

from collections.abc import Iterator

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from environments.actions import drafts, guards
from environments.actions.owed import owe
from environments.lib.activity import Activity
from environments.models import Environment, Event, Team, User


def change(environment: Environment, actor: User, *, name: str, purpose: str, team: Team | None) -> None:
    """Change title, purpose and team. The namespace keeps its name; its labels follow.

    Raises ValidationError by field for a text that no request may have, for a team that is not the owner's, and while
    a request waits for approval; PermissionDenied.
    """
    guards.check_editable(environment, actor)
    name, purpose = drafts.one_line(name), purpose.strip()
    drafts.check_texts(name, purpose)
    with transaction.atomic():
        row = guards.lock_open(environment)
        if row.awaits_approval:
            raise ValidationError("This request is waiting for approval. Change it after the decision.")
        if team != row.team and team not in teams(row):
            raise ValidationError({"team": [ValidationError("Choose one of the owner's teams.", code="team")]})
        changes = list(_changes(row, name, purpose, team))
        if not changes:
            return
        row.name, row.purpose, row.team = name, purpose, team
        row.save(update_fields=["name", "purpose", "team"])
        Event.record(row, actor, Activity.DETAILS_CHANGED, f"{actor} changed {' and '.join(changes)}.")
        owe(row.pk)


MAX_SEARCHED = 1000  # characters


def teams(environment: Environment) -> QuerySet[Team]:
    """The teams that an environment can belong to: its owner's."""
    return environment.owner.teams.all()


def namesake(owner: User, name: str, *, besides: Environment | None = None) -> Environment | None:
    """Another living environment of the owner with the same title in any case; None for what is no title."""
    if not name or "\0" in name or len(name) > MAX_SEARCHED:  # which databases refuse to look for
        return None
    others = Environment.objects.live().filter(owner=owner, name__iexact=name)
    return (others.exclude(pk=besides.pk) if besides else others).first()


def _changes(row: Environment, name: str, purpose: str, team: Team | None) -> Iterator[str]:
    if name != row.name:
        yield f"the title from “{row.name}” to “{name}”"
    if purpose != row.purpose:
        yield "the purpose"
    if team != row.team:
        yield f"the team from {row.team or 'none'} to {team or 'none'}"
