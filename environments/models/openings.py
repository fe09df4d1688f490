"""Network openings: what a platform admin offers on a cluster, beside what templates let through."""

from typing import Any

from django.db import models

from environments.models.clusters import Cluster
from environments.spec.openings import Destinations, parse_stored


class Decider(models.TextChoices):
    """Who decides on a request for an opening."""

    NOBODY = "nobody", "No one: it is opened at once"
    APPROVERS = "approvers", "Managers of the team, or platform admins"
    ADMINS = "admins", "Platform admins"


class NetworkOpening(models.Model):
    """Destinations that environments on a cluster can be let through to. Environments keep a copy (`Opened`)."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="openings")
    slug = models.SlugField(max_length=40, help_text="Part of the NetworkPolicy's name. Never changes.")
    name = models.CharField(max_length=80, help_text="As in “Internet on port 443”.")
    description = models.CharField(max_length=200, blank=True, help_text="What it is for.")
    destinations = models.JSONField(default=dict)
    decider = models.CharField(
        "decided by", max_length=12, choices=Decider, default=Decider.APPROVERS, help_text="Who decides on a request."
    )
    days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Closed again after so many days. Empty: it stays open."
    )
    is_offered = models.BooleanField(
        "offered", default=True, help_text="Off: no new requests. Environments that have it keep it."
    )

    class Meta:
        ordering = ("name", "id")
        constraints = (models.UniqueConstraint(fields=["cluster", "slug"], name="one_opening_per_slug"),)

    def __str__(self) -> str:
        return self.name

    @property
    def rules(self) -> Destinations:
        """The destinations as checked data."""
        return parse_stored(self.destinations)

    def copy(self, ends_at: str = "") -> dict[str, Any]:
        """What an environment's row keeps of it; `ends_at` in ISO 8601, empty if it stays open."""
        return {"slug": self.slug, "name": self.name, "destinations": self.destinations, "ends_at": ends_at}
