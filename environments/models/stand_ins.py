"""Stand-ins: who decides on requests while a manager is away."""

from datetime import date

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.models.people import Team, User


class StandInQuerySet(models.QuerySet["StandIn"]):
    """Queries for stand-ins."""

    def current(self) -> "StandInQuerySet":
        """Those that count today, of managers who are still managers."""
        absent = {"absent__is_manager": True, "absent__is_active": True}
        return self.filter(ended_at=None, last_day__gte=today(), **absent)

    def on_requests_of(self, person: User) -> "StandInQuerySet":
        """Those that let this person decide on a request, for a query of requests: its team is the manager's.

        Never on the absent manager's own request: they could not decide on it either.
        """
        mine = self.current().filter(person=person, absent__managed_teams=models.OuterRef("team"))
        return mine.exclude(absent=models.OuterRef("owner"))

    def who_see(self, team: Team) -> "StandInQuerySet":
        """Those whose stand-in is active and sees the team's requests: members, managers and platform admins."""
        mine = models.Q(person__in=team.members.all()) | models.Q(person__in=team.managers.all())
        return self.filter(mine | models.Q(person__is_superuser=True), person__is_active=True)


class StandIn(models.Model):
    """A person who decides for an absent manager, until the end of a day (UTC). Rows are ended, never deleted."""

    absent = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="stand_ins")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="stood_in", verbose_name="stand-in"
    )
    last_day = models.DateField(help_text="They decide until the end of this day (UTC).")
    named_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    named_at = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, help_text="When the stand-in got the email about it.")
    ended_at = models.DateTimeField(null=True, help_text="When it was ended early, or replaced.")
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = StandInQuerySet.as_manager()

    class Meta:
        verbose_name = "stand-in"
        ordering = ("-named_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=["absent"], condition=models.Q(ended_at=None), name="one_stand_in_per_manager"
            ),
        )

    def __str__(self) -> str:
        return f"{self.person} for {self.absent}"


def today() -> date:
    """The day on which stand-ins count, in UTC."""
    return timezone.now().date()
