"""Who decides on a request that needs approval: always a named person, and never the requester while another can."""

from dataclasses import dataclass

from environments.lib.wording import listed
from environments.models import Change, Environment, StandIn, Team, User

_NAMED = 3  # of more than that some are only counted


@dataclass(frozen=True)
class Deciders:
    """Those who are asked: the managers of a team and their stand-ins, or the platform admins."""

    people: tuple[User, ...]
    team: Team | None = None  # whose managers they are
    stand_ins: tuple[User, ...] = ()  # of the managers who are away
    admins: tuple[User, ...] = ()  # since the request was escalated to them

    @property
    def addresses(self) -> list[str]:
        """Where they read e-mail."""
        return list(dict.fromkeys(person.email for person in (*self.people, *self.stand_ins, *self.admins)))

    def __str__(self) -> str:
        """As in `Max Example (manager of Checkout), Tess Example (stand-in) or Ada Example (platform admin)`."""
        if not self.people:
            return "a platform admin (there is none yet)"
        manager = f"manager{_plural(self.people)} of {self.team}"
        first = manager if self.team else f"platform admin{_plural(self.people)}"
        groups = (
            (self.people, first),
            (self.stand_ins, f"stand-in{_plural(self.stand_ins)}"),
            (self.admins, f"platform admin{_plural(self.admins)}"),
        )
        return listed([f"{_names(people)} ({role})" for people, role in groups if people], "or")


def of(environment: Environment) -> Deciders:
    """Who decides on a request, as things are now."""
    return among(environment.team, environment.owner, escalated=environment.escalated_at is not None)


def of_change(change: Change) -> Deciders:
    """Who decides on a change, as things are now: never who asked for it, nor the owner."""
    environment = change.environment
    asker = change.asked_by or environment.owner
    if change.for_admins:
        return Deciders(admins(asker) or admins())
    return among(environment.team, asker, escalated=change.escalated_at is not None, owner=environment.owner)


def among(team: Team | None, requester: User, *, escalated: bool = False, owner: User | None = None) -> Deciders:
    """Who decides on what a person requests for a team: its managers, else the platform admins.

    In the way of EnvironmentQuerySet.decidable_by, which says who may; these are the ones who are named and told.
    Once the request is `escalated`, platform admins are asked in addition to the managers. `owner`: of the environment,
    where somebody else asks.
    """
    asking = {person.pk for person in (requester, owner) if person}
    others = User.objects.filter(is_active=True).exclude(pk__in=asking).order_by("first_name", "email")
    managers = tuple(others.filter(is_manager=True, managed_teams=team)) if team else ()
    if not team or not managers:
        return Deciders(admins(requester) or admins())
    asked = admins(requester) if escalated else ()
    stand_ins = _stand_ins(team, managers, requester)
    return Deciders(managers, team, stand_ins, tuple(each for each in asked if each not in (*managers, *stand_ins)))


def admins(without: User | None = None) -> tuple[User, ...]:
    """The active platform admins, without one person."""
    found = User.objects.platform_admins().filter(is_active=True).order_by("first_name", "email")
    return tuple(found.exclude(pk=without.pk) if without else found)


def _stand_ins(team: Team, managers: tuple[User, ...], requester: User) -> tuple[User, ...]:
    rows = StandIn.objects.current().who_see(team).filter(absent__in=managers).exclude(person=requester)
    people = {row.person for row in rows.select_related("person")}
    return tuple(sorted(people - set(managers), key=lambda person: (person.first_name, person.email)))


def _names(people: tuple[User, ...]) -> str:
    names = [str(person) for person in people]
    if len(names) > _NAMED:
        names[_NAMED - 1 :] = [f"{len(names) - _NAMED + 1} more"]
    return listed(names, "or")


def _plural(people: tuple[User, ...]) -> str:
    return "s" if len(people) > 1 else ""
