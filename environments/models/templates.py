"""What can be requested. A template is the name people know; its versions are what it says."""

from django.conf import settings
from django.db import models

from environments import spec as template_spec
from environments.models.clusters import Cluster


class Template(models.Model):
    """One card of the catalog."""

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
        Cluster, blank=True, help_text="Where it may land. Empty: on every cluster that accepts environments."
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class State(models.TextChoices):
    """A version's life."""

    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"
    RETIRED = "retired", "Retired"


class TemplateVersion(models.Model):
    """What a template says from one publishing to the next. Immutable once published."""

    State = State

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    changelog = models.CharField(max_length=200, blank=True)
    spec = models.JSONField(help_text="environments/spec.py describes it.")
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False
    )

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

    def parsed(self) -> template_spec.TemplateSpec:
        """The content as checked data."""
        return template_spec.parse(self.spec)
