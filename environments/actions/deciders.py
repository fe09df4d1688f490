"""Who decides on a request that needs approval: always a named person, and never the requester while another can."""

from dataclasses import dataclass

from environments.models import Environment, Team, User

_NAMED = 3  # of more than that some are only counted


@dataclass(frozen=True)
class Deciders:
    """Those who are asked: the managers of a team, or the platform admins."""

    people: tuple[User, ...]
    team: Team | None = None  # whose managers they are

    @property
    def addresses(self) -> list[str]:
        """Where they read e-mail."""
        return [person.email for person in self.people]

    def __str__(self) -> str:
        """As in `Max Example (manager of Checkout)`."""
        if not self.people:
            return "a platform admin (there is none yet)"
        plural = "s" if len(self.people) > 1 else ""
        role = f"manager{plural} of {self.team}" if self.team else f"platform admin{plural}"
        return f"{self._names()} ({role})"

    def _names(self) -> str:
        names = [str(person) for person in self.people]
        if len(names) > _NAMED:
            names[_NAMED - 1 :] = [f"{len(names) - _NAMED + 1} more"]
        return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def of(environment: Environment) -> Deciders:
    """Who decides on a request, as things are now."""
    return among(environment.team, environment.owner)


def among(team: Team | None, requester: User) -> Deciders:
    """Who decides on what a person requests for a team: its managers, else the platform admins.

    In the way of EnvironmentQuerySet.decidable_by, which says who may; these are the ones who are named and told.
    """
    others = User.objects.filter(is_active=True).exclude(pk=requester.pk).order_by("first_name", "email")
    managers = tuple(others.filter(is_manager=True, managed_teams=team)) if team else ()
    if managers:
        return Deciders(managers, team)
    admins = User.objects.platform_admins().filter(is_active=True).order_by("first_name", "email")
    return Deciders(tuple(admins.exclude(pk=requester.pk)) or tuple(admins))
