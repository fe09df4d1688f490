"""The record in the admin, to read: environments, their steps and events, and the admin's own log."""

import yaml
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from environments import actions, dashboards
from environments.admin.base import ReadOnlyAdmin, ReadOnlyInline, actor, pill
from environments.models import Condition, Environment, Event, Group, Member
from environments.phases import Phase


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


class GroupInline(ReadOnlyInline):
    """The directory's groups."""

    model = Group
    fields = ("role", "name", "directory_id")


@admin.register(Environment)
class EnvironmentAdmin(ReadOnlyAdmin):
    """All environments, those that are gone included."""

    list_display = ("name", "namespace", "state", "owner", "team", "template", "cluster", "created_at", "ends_at")
    list_filter = ("phase", "cluster", "version__template", "team", "wanted")
    list_select_related = ("owner", "team", "version__template", "cluster")
    search_fields = ("name", "namespace", "owner__email", "purpose", "id")
    date_hierarchy = "created_at"
    actions = ("look_again", "move_to_newest")
    inlines = (ConditionInline, MemberInline, GroupInline)
    fieldsets = (
        (None, {"fields": ("name", "namespace", "state", "purpose", "owner", "team")}),
        ("Where and from what", {"fields": ("version", "size", "answers", "cluster", "directory")}),
        ("Dates", {"fields": ("created_at", "ready_at", "ends_at", "deleted_at")}),
        (
            "For whoever looks into a problem",
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

    @admin.display(description="Template", ordering="version__template__name")
    def template(self, row: Environment) -> str:
        """What it was made from."""
        return str(row.version)

    @admin.display(description="Parameters")
    def answers(self, row: Environment) -> str:
        """What was filled in, a line each."""
        return "\n".join(f"{name}: {value}" for name, value in row.parameters.items())

    @admin.display(description="Template's content")
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
        for row in queryset.select_related("version__template", "cluster", "owner", "team"):
            newer = dashboards.newer(row)
            if newer is None:
                continue
            if newer.shrinks:
                self.message_user(request, f"{row}: left alone. {' '.join(newer.shrinks)}", messages.WARNING)
                continue
            try:
                actions.move_environment(row, newer.version, actor(request))
                moved += 1
            except ValidationError as error:
                self.message_user(request, f"{row}: {error.message}", messages.WARNING)
        self.message_user(request, f"{moved} moved.", messages.SUCCESS)

    @admin.action(description="Look at it again", permissions=["view"])
    def look_again(self, request: HttpRequest, queryset: QuerySet[Environment]) -> None:
        """Have the chosen environments reconciled now, whatever the back-off says; those that are gone stay gone."""
        rows = list(queryset.exclude(phase=Phase.DELETED))
        for row in rows:
            actions.try_again(row, actor(request))
        left_out = queryset.count() - len(rows)
        self.message_user(request, f"Looking at {len(rows)} again.", messages.SUCCESS)
        if left_out:
            self.message_user(request, f"{left_out} left out: they are deleted.", messages.WARNING)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Everything that happened to environments."""

    list_display = ("at", "environment", "verb", "message", "actor")
    list_display_links = ("at",)
    list_filter = ("verb", ("actor", admin.EmptyFieldListFilter))
    list_select_related = ("environment", "actor")
    search_fields = ("environment__name", "environment__namespace", "message", "actor__email")
    date_hierarchy = "at"
    actions = None
    fields = ("at", "environment", "actor", "verb", "message", "data")


@admin.register(Condition)
class ConditionAdmin(ReadOnlyAdmin):
    """The steps of all environments: what waits or failed anywhere, and since when."""

    list_display = ("environment", "type", "state", "reason", "message", "attempts", "next_try_at")
    list_filter = ("status", "type", "environment__cluster")
    list_select_related = ("environment",)
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
    list_filter = ("content_type", "action_flag")
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "change_message", "user__email")
    date_hierarchy = "action_time"
    actions = None
    fields = ("action_time", "user", "content_type", "object_repr", "words")
    readonly_fields = ("words",)

    @admin.display(description="Change")
    def words(self, row: LogEntry) -> str:
        """The change as a sentence."""
        return str(row)
