"""Environment templates and their versions. A version holds the content."""

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils import timezone

from environments import spec as template_spec
from environments.lib.activity import TemplateActivity
from environments.models.clusters import Cluster
from environments.models.people import Team, User

_A_DAY = MinValueValidator(1, "Enter 1 or more.")


class Placement(models.TextChoices):
    """Who picks the cluster."""

    CHOICE = "choice", "The requester"
    AUTOMATIC = "automatic", "The portal"


class TemplateQuerySet(models.QuerySet["Template"]):
    """Every way from a person to a template passes `usable_by`."""

    def usable_by(self, user: User) -> "TemplateQuerySet":
        """What a person may request: what is for everybody, and what is for one of their teams."""
        if user.is_platform_admin:
            return self
        return self.filter(models.Q(teams=None) | models.Q(teams__in=user.teams.all())).distinct()


class Template(models.Model):
    """One entry of the catalog."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80, unique=True)
    summary = models.CharField(max_length=200)
    category = models.CharField(max_length=60, default="Developer Productivity")
    icon = models.CharField(
        max_length=12,
        default="box",
        choices=[("box", "Box"), ("chip", "Chip"), ("branch", "Branch"), ("flask", "Flask")],
    )
    readme = models.TextField(blank=True, help_text="Markdown.")
    clusters: "models.ManyToManyField[Cluster, models.Model]" = models.ManyToManyField(
        Cluster, blank=True, help_text="Clusters that it can use. Empty: every cluster that accepts new environments."
    )

    placement = models.CharField(
        "cluster chosen by",
        max_length=12,
        choices=Placement,
        default=Placement.CHOICE,
        help_text="The portal chooses the cluster with the least reserved capacity.",
    )
    teams: "models.ManyToManyField[Team, models.Model]" = models.ManyToManyField(
        Team, blank=True, help_text="Teams that can request it. Empty: everyone."
    )
    per_person = models.PositiveSmallIntegerField(
        "environments per person",
        null=True,
        blank=True,
        help_text="How many environments one person can own at a time. Empty: no limit.",
    )

    review_days = models.PositiveSmallIntegerField(
        "still needed, every (days)",
        null=True,
        blank=True,
        validators=[_A_DAY],
        help_text="Owners are asked after so many days whether they still need it. Empty: they are not asked.",
    )
    review_idle_days = models.PositiveSmallIntegerField(
        "still needed, if hardly used for (days)",
        null=True,
        blank=True,
        validators=[_A_DAY, MaxValueValidator(90, "Enter 90 or less.")],
        help_text="Owners are asked if less than 10 % of CPU, memory and GPUs was requested for so many days.",
    )
    review_answer_days = models.PositiveSmallIntegerField(
        "days to answer",
        default=14,
        db_default=14,
        validators=[_A_DAY],
        help_text="Then we email the team's managers, and after as many days again the environment gets an end.",
    )

    objects = TemplateQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class State(models.TextChoices):
    """A version's life."""

    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"
    RETIRED = "retired", "Retired"


#: The content of a version. It cannot change after publishing.
CONTENT = ("template_id", "number", "changelog", "spec")
_MOVES = {
    State.DRAFT: (State.DRAFT, State.PUBLISHED),
    State.PUBLISHED: (State.PUBLISHED, State.RETIRED),
    State.RETIRED: (State.RETIRED,),
}


class ImmutableVersionError(Exception):
    """Raised on an attempt to change or delete a version that environments may use."""


class TemplateVersionQuerySet(models.QuerySet["TemplateVersion"]):
    """Many versions at once, by the same rules as one."""

    def update(self, **values: Any) -> int:
        """As usual. Raises ImmutableVersionError where it would rewrite a version that is no draft, or revive one."""
        names = {f"{name}_id" if name == "template" else name for name in values}
        if not names.isdisjoint(CONTENT) and self.exclude(state=State.DRAFT).exists():
            raise ImmutableVersionError("Published and retired versions cannot be edited. Create a new draft.")
        if "state" in values:
            before = [state for state, after in _MOVES.items() if values["state"] in after]
            if self.exclude(state__in=before).exists():
                raise ImmutableVersionError("A version goes from draft to published to retired, never back.")
        return super().update(**values)

    def delete(self) -> tuple[int, dict[str, int]]:
        """As usual. Raises ImmutableVersionError where one is published; ProtectedError where one is in use."""
        if self.filter(state=State.PUBLISHED).exists():
            raise ImmutableVersionError("A published version cannot be deleted. Retire it first.")
        return super().delete()

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> list["TemplateVersion"]:
        """As usual, but never over rows that are there."""
        if kwargs.get("update_conflicts"):
            raise ImmutableVersionError("Existing versions cannot be overwritten.")
        return super().bulk_create(objs, *args, **kwargs)


class TemplateVersion(models.Model):
    """One version of a template's content. Immutable once published."""

    State = State

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    changelog = models.CharField(max_length=200, blank=True)
    spec = models.JSONField(help_text="The content, as TemplateSpec in environments/spec/ describes it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False
    )

    objects = TemplateVersionQuerySet.as_manager()

    class Meta:
        ordering = ("template", "-number")
        constraints = (
            models.UniqueConstraint(fields=["template", "number"], name="one_version_per_number"),
            models.UniqueConstraint(
                fields=["template"], condition=models.Q(state=State.PUBLISHED), name="one_published_version"
            ),
        )

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As usual. Raises ImmutableVersionError where it would rewrite a version that is no draft, or revive one."""
        with transaction.atomic():
            self._refuse_rewriting()
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """As usual. Raises ImmutableVersionError where it is published; ProtectedError where it is in use."""
        if TemplateVersion.objects.filter(pk=self.pk, state=State.PUBLISHED).exists():
            raise ImmutableVersionError(f"{self} is published. Retire it first.")
        return super().delete(*args, **kwargs)

    @property
    def tone(self) -> str:
        """The colour class of the state."""
        return {State.DRAFT: "wait", State.PUBLISHED: "ok"}.get(State(self.state), "")

    def parsed(self) -> template_spec.TemplateSpec:
        """The content as checked data."""
        return template_spec.parse_stored(self.spec)

    def _refuse_rewriting(self) -> None:
        rows = TemplateVersion.objects.select_for_update().filter(pk=self.pk)
        stored = rows.values("state", *CONTENT).first() if self.pk else None
        if stored is None:
            return
        before = State(stored.pop("state"))
        if before != State.DRAFT and any(stored[name] != getattr(self, name) for name in CONTENT):
            raise ImmutableVersionError(f"{self} is {before.label.lower()} and cannot be edited. Create a new draft.")
        if self.state not in _MOVES[before]:
            raise ImmutableVersionError("A version goes from draft to published to retired, never back.")


class TemplateEvent(models.Model):
    """One line of a template's history; `actor` None is a command. Rows are added, never changed."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="events")
    version = models.ForeignKey(TemplateVersion, on_delete=models.SET_NULL, null=True, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=40, choices=TemplateActivity, db_column="verb")
    message = models.CharField(max_length=500)
    changes = models.JSONField(default=list, help_text="What changed, one sentence each.")
    diff = models.TextField(blank=True, help_text="The same as a unified diff of the YAML.")

    class Meta:
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=["template", "-at"]),)

    def __str__(self) -> str:
        return self.message
