"""Stand-ins for absent managers: naming one until a day, and ending that.

A stand-in decides on the requests of the manager's teams that they see: those of teams that they are a member or a
manager of; a platform admin sees all. Naming a stand-in never shows anyone a request that they could not see before.
Platform admins need no stand-in, because every other platform admin decides as well.
"""

from datetime import date, timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from environments.actions import guards
from environments.lib import queue
from environments.models import Environment, StandIn, Team, User
from environments.models.stand_ins import today

LONGEST = timedelta(days=180)


def candidates(absent: User) -> QuerySet[User]:
    """The people who can stand in for a manager: who see the requests of one of their teams, and platform admins."""
    teams = absent.managed_teams.all()
    sees = Q(pk__in=User.objects.filter(teams__in=teams).values("pk")) | Q(is_superuser=True)
    sees |= Q(pk__in=User.objects.filter(managed_teams__in=teams).values("pk"))
    return User.objects.filter(sees, is_active=True).exclude(pk=absent.pk).order_by("first_name", "last_name", "email")


def current(absent: User) -> StandIn | None:
    """A manager's stand-in today."""
    return StandIn.objects.current().filter(absent=absent).select_related("person").first()


def teams_of(row: StandIn) -> QuerySet[Team]:
    """The teams on whose requests a stand-in decides."""
    teams = row.absent.managed_teams.all()
    if row.person.is_platform_admin:
        return teams
    return teams.filter(Q(members=row.person) | Q(managers=row.person)).distinct()


def name(absent: User, person: User, last_day: date, actor: User) -> StandIn:
    """Have a person decide for a manager until the end of a day; replaces the stand-in named before.

    The stand-in gets an email. Raises ValidationError by field (`person`, `last_day`), or without one if there is
    nothing to stand in for; PermissionDenied for anyone but the manager and platform admins.
    """
    _check_actor(absent, actor)
    check(absent, person, last_day)
    with transaction.atomic():
        _end(absent, actor)
        row = StandIn.objects.create(absent=absent, person=person, last_day=last_day, named_by=actor)
        _note(person)
        queue.send_after_commit(queue.TELL_STAND_INS)
    return row


def check(absent: User, person: User, last_day: date) -> None:
    """Raise what `name` raises if this person cannot stand in for the manager until that day. Changes nothing."""
    if not absent.is_manager or not absent.managed_teams.exists():
        raise ValidationError(f"{absent} manages no team, so there is nothing to decide for them.", code="absent")
    if not candidates(absent).filter(pk=person.pk).exists():
        sentence = "Choose a member or manager of one of the teams, or a platform admin: others can't see the requests."
        raise ValidationError({"person": sentence})
    _check_day(last_day)


def end(absent: User, actor: User) -> StandIn:
    """End a stand-in before their last day. Raises ValidationError if there is none, PermissionDenied as `name`."""
    _check_actor(absent, actor)
    with transaction.atomic():
        row = _end(absent, actor)
    if row is None or row.last_day < today():
        raise ValidationError(f"{absent} has no stand-in at the moment.", code="none")
    return row


def stood_in_for(environment: Environment, actor: User) -> User | None:
    """The absent manager for whom a person decides on a request; None if they manage the team themselves."""
    if not actor.stands_in or (actor.is_manager and environment.team in actor.managed_teams.all()):
        return None
    rows = StandIn.objects.current().filter(person=actor, absent__managed_teams=environment.team_id)
    row = rows.exclude(absent=environment.owner_id).select_related("absent").order_by("absent__email").first()
    return row.absent if row and environment.team_id else None


def _check_actor(absent: User, actor: User) -> None:
    if actor.pk != absent.pk and not actor.is_platform_admin:
        raise PermissionDenied("Only the manager and platform admins can name a stand-in.")


def _check_day(last_day: date) -> None:
    if last_day < today():
        raise ValidationError({"last_day": "Choose today or a later day."})
    if last_day > today() + LONGEST:
        raise ValidationError({"last_day": f"Choose a day within the next {LONGEST.days} days."})


def _end(absent: User, actor: User) -> StandIn | None:
    """End the row that is open, alone: two at once are one after the other."""
    guards.lock_person(absent)
    row = StandIn.objects.filter(absent=absent, ended_at=None).select_related("person").first()
    if row:
        StandIn.objects.filter(pk=row.pk).update(ended_at=timezone.now(), ended_by=actor)
        _note(row.person)
    return row


def _note(person: User) -> None:
    """Bring the hint on the person's own row up to date."""
    last = StandIn.objects.filter(person=person, ended_at=None).order_by("-last_day").values_list("last_day", flat=True)
    User.objects.filter(pk=person.pk).update(stands_in_until=last.first())
