"""Read-only records in the admin: environments, their steps and events, and the admin's own log."""

from collections.abc import Iterator
from typing import Any

import yaml
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from environments import actions
from environments.admin.any_input import searchable
from environments.admin.base import ReadOnlyAdmin, ReadOnlyInline, actor, pill
from environments.admin.scale import FewFilter, LeanAdmin
from environments.lib.phases import Phase, Status
from environments.models import Change, Condition, Environment, Event, Group, GroupMember, Member, User
from environments.models.environments import EnvironmentQuerySet
from environments.reconcile.steps import BY_TYPE
from environments.web import pages

#: Of an environment, and of what it points to: nothing that a list shows.
_LARGE = ("spec", "parameters", "usage", "applied_objects", "alert_state", "alert_rising", "alert_mailed")


class ConditionInline(ReadOnlyInline):
    """The steps of an environment."""

    model = Condition
    fields = ("type", "state", "reason", "message", "attempts", "duration_ms", "next_try_at", "last_transition_at")
    readonly_fields = ("state",)

    @admin.display(description="Status")
    def state(self, row: Condition) -> SafeString:
        """The status with its colour."""
        return pill(row.status, row.tone)


class MemberInline(ReadOnlyInline):
    """Who has access, and what each layer said of it."""

    model = Member
    fields = ("email", "role", "wanted", "in_group", "bound", "allowed", "message", "checked_at")


class GroupMemberInline(ReadOnlyInline):
    """The groups of the directory, and the teams, that have a role."""

    model = GroupMember
    fields = ("name", "team", "role", "wanted", "size", "present", "bound", "allowed", "message", "checked_at")


class GroupInline(ReadOnlyInline):
    """The directory's groups."""

    model = Group
    fields = ("role", "name", "directory_id")


class ChangeInline(ReadOnlyInline):
    """What people asked to have changed, and what became of it."""

    model = Change
    fk_name = "environment"
    fields = ("kind", "state", "asked_by", "asked_at", "reason", "figures", "decided_by", "decided_at", "note")


@admin.register(Environment)
class EnvironmentAdmin(LeanAdmin, ReadOnlyAdmin):
    """All environments, those that are gone included."""

    list_display = ("title", "state", "people", "template", "created_at", "ends_at")
    list_filter = (
        "phase",
        ("cluster", FewFilter),
        ("version__template", FewFilter),
        ("team", FewFilter),
        "wanted",
        "created_at",
    )
    list_defer = (
        *_LARGE,
        "version__spec",
        "version__template__readme",
        "cluster__certificate_authority",
        "cluster__public_certificate_authority",
        "cluster__oidc_certificate_authority",
    )
    list_select_related = ("owner", "team", "version__template", "cluster")
    search_fields = ("name", "namespace", "owner__email", "purpose", "id")
    actions = ("look_again", "move_to_newest")
    inlines = (ConditionInline, MemberInline, GroupMemberInline, GroupInline, ChangeInline)
    fieldsets = (
        (None, {"fields": ("name", "namespace", "state", "purpose", "owner", "team")}),
        ("Template and placement", {"fields": ("version", "size", "answers", "cluster", "directory")}),
        ("Dates", {"fields": ("requested_at", "created_at", "ready_at", "ends_at", "deleted_at")}),
        (
            "Troubleshooting",
            {
                "fields": (
                    "id",
                    "generation",
                    "observed_generation",
                    "next_reconcile_at",
                    "lease_until",
                    "namespace_uid",
                    "usage_at",
                    "snapshot",
                ),
                "classes": ("collapse",),
            },
        ),
    )
    readonly_fields = ("state", "answers", "snapshot")

    @admin.display(description="Phase", ordering="phase")
    def state(self, row: Environment) -> SafeString:
        """The phase with its colour."""
        return pill(row.phase, row.tone)

    @admin.display(description="Environment", ordering="name")
    def title(self, row: Environment) -> SafeString:
        """Its name, and the namespace below it: nine columns would not fit beside the filters."""
        return format_html('{}<span class="sub">{}</span>', row.name, row.namespace)

    @admin.display(description="Owner", ordering="owner__email")
    def people(self, row: Environment) -> SafeString:
        """Its owner, and the team below."""
        return format_html('{}<span class="sub">{}</span>', row.owner, row.team or "no team")

    @admin.display(description="Template", ordering="version__template__name")
    def template(self, row: Environment) -> SafeString:
        """What it was made from, and the cluster below."""
        return format_html('{}<span class="sub">on {}</span>', row.version, row.cluster)

    @admin.display(description="Parameters")
    def answers(self, row: Environment) -> str:
        """What was filled in, a line each."""
        return "\n".join(f"{name}: {value}" for name, value in row.parameters.items())

    @admin.display(description="Template content")
    def snapshot(self, row: Environment) -> SafeString:
        """The content of the version when it was requested."""
        text = yaml.safe_dump(row.spec, sort_keys=False, allow_unicode=True)
        return format_html('<pre class="tall">{}</pre>', text)

    def view_on_site(self, row: Environment) -> str:
        """Its page in the portal."""
        return reverse("environment", args=[row.namespace])

    @admin.action(description="Move to the published version", permissions=["view"])
    def move_to_newest(self, request: HttpRequest, queryset: QuerySet[Environment]) -> None:
        """Move the chosen environments in place; those that would get less than they use are left to their owners."""
        moved = 0
        for row in queryset.defer(None).select_related("version__template", "cluster", "owner", "team"):
            newer = pages.newer(row)
            if newer is None:
                continue
            if newer.shrinks:
                self.message_user(request, f"{row} was not moved. {' '.join(newer.shrinks)}", messages.WARNING)
                continue
            try:
                actions.move_environment(row, newer.version, actor(request))
                moved += 1
            except ValidationError as error:
                self.message_user(request, f"{row}: {error.message}", messages.WARNING)
        self.message_user(request, f"Environments moved: {moved}.", messages.SUCCESS)

    @admin.action(description="Reconcile now", permissions=["view"])
    def look_again(self, request: HttpRequest, queryset: EnvironmentQuerySet) -> None:
        """Reconcile the chosen environments now, without waiting for the back-off. Skips deleted ones."""
        rows = list(queryset.granted().exclude(phase=Phase.DELETED))
        for row in rows:
            actions.try_again(row, actor(request))
        left_out = queryset.count() - len(rows)
        self.message_user(request, f"Environments being reconciled: {len(rows)}.", messages.SUCCESS)
        if left_out:
            self.message_user(request, f"{left_out} skipped: deleted or not approved.", messages.WARNING)


@admin.register(Event)
class EventAdmin(LeanAdmin, ReadOnlyAdmin):
    """Everything that happened to environments."""

    list_display = ("at", "environment", "kind", "message", "actor")
    list_display_links = ("at",)
    list_filter = ("kind", "at", ("actor", admin.EmptyFieldListFilter))
    list_select_related = ("environment", "actor")
    list_defer = ("data", "actor__groups_claim", *(f"environment__{name}" for name in _LARGE))
    search_fields = ("environment__name", "environment__namespace", "actor__email")
    search_help_text = "Search by environment name, namespace, or the email address of the person who did it."
    actions = None
    fields = ("at", "environment", "actor", "kind", "message", "data")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """The events of the environments and people found: both have an index here, their names have none."""
        for word in searchable(search_term).split():
            environments = Environment.objects.filter(Q(name__icontains=word) | Q(namespace__icontains=word))
            people = User.objects.filter(email__icontains=word)
            found = Q(environment__in=environments.order_by().values("pk")) | Q(actor__in=people.values("pk"))
            queryset = queryset.filter(found)
        return queryset, False


class StatusFilter(admin.SimpleListFilter):
    """What is not done, unless something else is asked for: nine steps in ten are done."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Each status, and all of them."""
        return [*((str(value), str(label)) for value, label in Status.choices), ("all", "All")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """As usual, but for what stands first: nothing chosen is not all."""
        first, *rest = super().choices(changelist)
        return iter([first | {"display": "Not done"}, *rest])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Condition]) -> QuerySet[Condition]:
        """The steps with the chosen status."""
        if self.value() is None:
            return queryset.exclude(status=Status.DONE)
        return queryset if self.value() == "all" else queryset.filter(status=self.value())


class StepFilter(admin.SimpleListFilter):
    """One step of an environment's life."""

    title = "step"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All steps that there are."""
        return [(name, name) for name in BY_TYPE]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Condition]) -> QuerySet[Condition]:
        """The chosen step of all environments."""
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(Condition)
class ConditionAdmin(LeanAdmin, ReadOnlyAdmin):
    """The steps of all environments: what waits or failed anywhere, and since when."""

    list_display = ("environment", "type", "state", "reason", "message", "attempts", "next_try_at")
    list_filter = (StatusFilter, StepFilter, ("environment__cluster", FewFilter))
    list_select_related = ("environment",)
    list_defer = tuple(f"environment__{name}" for name in _LARGE)
    search_fields = ("environment__name", "environment__namespace", "reason", "message")
    ordering = ("-last_transition_at",)
    actions = None

    @admin.display(description="Status", ordering="status")
    def state(self, row: Condition) -> SafeString:
        """The status with its colour."""
        return pill(row.status, row.tone)


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """The admin's own log: who changed what here."""

    list_display = ("action_time", "user", "content_type", "object_repr", "words")
    list_display_links = ("action_time",)
    list_filter = ("content_type", "action_flag", "action_time")
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "change_message", "user__email")
    actions = None
    fields = ("action_time", "user", "content_type", "object_repr", "words")
    readonly_fields = ("words",)

    @admin.display(description="Change")
    def words(self, row: LogEntry) -> str:
        """The change as a sentence."""
        return str(row)
