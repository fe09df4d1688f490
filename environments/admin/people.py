"""People in the admin: who has signed in, and the teams that their groups claim names."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from environments.admin.base import AnyAdmin
from environments.models import Team, User
from environments.phases import LIVE

_ROLES = ("is_superuser", "is_manager")
_IDENTITY = ("username", "email", "first_name", "last_name")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    """People. Who they are and what they may do comes from the identity provider, where there is one."""

    list_display = ("person", "role_name", "team_names", "live_environments", "is_active", "last_login")
    list_filter = ("is_superuser", "is_manager", "is_active", "teams")
    search_fields = ("email", "username", "first_name", "last_name")
    ordering = ("email",)
    filter_horizontal = ()
    list_per_page = 50
    readonly_fields = ("role_name", "team_names", "managed_team_names", "claim", "last_login", "date_joined")
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "usable_password", "password1", "password2")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With their teams and the number of their environments, in a fixed number of queries."""
        live = Count("environments", filter=Q(environments__phase__in=LIVE), distinct=True)
        rows: QuerySet[User] = super().get_queryset(request).annotate(live_count=live)
        return rows.prefetch_related("teams", "managed_teams")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Passwords only where the portal has accounts of its own; role flags only where they follow nothing."""
        if obj is None:
            return self.add_fieldsets
        identity = (*_IDENTITY, "is_active", *(("password",) if settings.LOCAL_ACCOUNTS else ()))
        roles = ("role_name", *(() if settings.OIDC_ISSUER else _ROLES), "team_names", "managed_team_names", "claim")
        note = "They follow the groups claim at every sign-in." if settings.OIDC_ISSUER else ""
        return (
            (None, {"fields": identity}),
            ("Role and teams", {"fields": roles, "description": note}),
            ("Dates", {"fields": ("last_login", "date_joined")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """With single sign-on, the identity provider says who people are and what they may do."""
        fixed = (*_IDENTITY, *_ROLES) if settings.OIDC_ISSUER and obj is not None else ()
        return (*self.readonly_fields, *fixed)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People come by signing in, unless the portal has accounts of its own."""
        return bool(settings.LOCAL_ACCOUNTS)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: the history names them. Somebody who left is made inactive."""
        return False

    @admin.display(description="Person", ordering="email")
    def person(self, row: User) -> SafeString:
        """The name, and the address that tells two of one name apart."""
        return format_html('{}<span class="sub">{}</span>', row.get_full_name() or row.username, row.email)

    @admin.display(description="Role", ordering="-is_superuser")
    def role_name(self, row: User) -> str:
        """What they are in the portal."""
        return row.role_name

    @admin.display(description="Teams")
    def team_names(self, row: User) -> str:
        """The teams they are in."""
        return ", ".join(team.name for team in row.teams.all())

    @admin.display(description="Manages")
    def managed_team_names(self, row: User) -> str:
        """The teams whose environments they may read."""
        return ", ".join(team.name for team in row.managed_teams.all())

    @admin.display(description="Groups claim")
    def claim(self, row: User) -> str:
        """What the identity provider said at the last sign-in."""
        return "\n".join(row.groups_claim)

    @admin.display(description="Environments", ordering="live_count")
    def live_environments(self, row: Any) -> int:
        """How many they own."""
        return int(row.live_count)


@admin.register(Team)
class TeamAdmin(AnyAdmin):
    """Teams: two groups of the identity provider with a name. Who is in them follows the groups claim."""

    list_display = ("name", "group", "manager_group", "cost_centre", "member_count", "live_environments")
    search_fields = ("name", "group", "manager_group", "cost_centre")
    readonly_fields = ("member_list", "manager_list")
    fieldsets = (
        (None, {"fields": ("name", "group", "manager_group", "cost_centre")}),
        (
            "People",
            {"fields": ("member_list", "manager_list"), "description": "Known since their last sign-in."},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        """With the numbers of members and environments."""
        live = Count("environments", filter=Q(environments__phase__in=LIVE), distinct=True)
        rows: QuerySet[Team] = super().get_queryset(request)
        return rows.annotate(people=Count("members", distinct=True), live_count=live)

    @admin.display(description="Members", ordering="people")
    def member_count(self, row: Any) -> int:
        """How many are in it."""
        return int(row.people)

    @admin.display(description="Environments", ordering="live_count")
    def live_environments(self, row: Any) -> int:
        """How many live environments it has."""
        return int(row.live_count)

    @admin.display(description="Members")
    def member_list(self, row: Team) -> SafeString | str:
        """Everybody in it, with a link each."""
        return _links(row.members.all()) if row.pk else ""

    @admin.display(description="Managers")
    def manager_list(self, row: Team) -> SafeString | str:
        """Everybody who manages it."""
        return _links(row.managers.all()) if row.pk else ""


def _links(people: QuerySet[User]) -> SafeString:
    rows = ((reverse("admin:environments_user_change", args=[user.pk]), str(user)) for user in people)
    return format_html_join(", ", '<a href="{}">{}</a>', rows)
