"""People in the admin: their identity, roles and teams.

Values from the identity provider are read-only; the rest can be edited (`User.follows_claim`).
"""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from environments.admin.any_input import AnyInput
from environments.admin.base import AnyInline
from environments.admin.scale import FEW, BriefDeletion, FewFilter, count_of
from environments.lib.row_fields import RowsField
from environments.models import Environment, Team, TeamGroup, User
from environments.reports import summaries

_ROLES = ("is_superuser", "is_manager")
_IDENTITY = ("username", "email", "first_name", "last_name")
_TEAMS = ("teams", "managed_teams")


class UniqueAddress:
    """An address is unique among local accounts: it is what they sign in with."""

    instance: User
    cleaned_data: dict[str, Any]

    def clean_email(self) -> str:
        """The address as it is stored. Raises ValidationError if another local account has it."""
        email = User.objects.normalize_email(self.cleaned_data["email"])
        others = User.objects.with_address(email).local().exclude(pk=self.instance.pk)
        if not self.instance.provider and others.exists():
            raise ValidationError(f"Another local account has the address {email}.")
        return email


class UniqueAddressForm(UniqueAddress, UserChangeForm):  # type: ignore[type-arg]
    """A person whom an identity provider knows."""


class NewAccountForm(UniqueAddress, AdminUserCreationForm):  # type: ignore[type-arg]
    """A new local account."""


class LocalAccountForm(UniqueAddress, UserChangeForm):  # type: ignore[type-arg]
    """A person whose role and teams a platform admin sets."""

    teams = RowsField(Team.objects.all(), required=False)
    managed_teams = RowsField(Team.objects.all(), required=False, label="Manages")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _TEAMS:
            self.initial[name] = getattr(self.instance, name).all()
        if "is_superuser" in self.fields:
            flag = self.fields["is_superuser"]
            flag.label, flag.help_text = "Platform admin", "Manages clusters, templates and all environments."


class UserAdmin(AnyInput, DjangoUserAdmin):  # type: ignore[type-arg]
    """People. Who they are and what they may do comes from the identity provider, where there is one.

    portal/admin.py registers it, with an action for local accounts.
    """

    list_display = ("person", "role_name", "team_names", "live_environments", "is_active", "last_login")
    list_filter = ("is_superuser", "is_manager", "is_active", ("teams", FewFilter))
    search_fields = ("email", "username", "first_name", "last_name")
    ordering = ("email",)
    filter_horizontal = ()
    list_per_page = 50
    readonly_fields = (
        "role_name", "team_names", "managed_team_names", "claim", "groups_problem", "provider", "issuer", "subject",
        "email_trusted", "last_login", "date_joined",
    )  # fmt: skip
    form = UniqueAddressForm
    add_form = NewAccountForm
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "usable_password", "password1", "password2")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With their teams and the number of their environments, in a fixed number of queries."""
        rows: QuerySet[User] = super().get_queryset(request)
        rows = rows.annotate(live_count=count_of(Environment.objects.live(), "owner"))
        return rows.prefetch_related("teams", "managed_teams")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Password, role and teams to edit only for local accounts; else what the groups claim made of it."""
        if obj is None:
            return self.add_fieldsets
        local = not obj.follows_claim
        identity = (*_IDENTITY, "is_active", *(("password",) if local else ()))
        said = ("role_name", "team_names", "managed_team_names", "claim", "groups_problem")
        roles = (*_ROLES, *_TEAMS) if local else said
        note = "" if local else "The identity provider sets these at every sign-in (groups claim)."
        return (
            (None, {"fields": identity}),
            *(() if local else (("Identity", {"fields": ("provider", "issuer", "subject", "email_trusted")}),)),
            ("Role and teams", {"fields": roles, "description": note}),
            ("Email", {"fields": ("wants_summary",)}),
            ("Dates", {"fields": ("last_login", "date_joined")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What the identity provider says; and no admin can lock themselves out."""
        if obj is None:
            return self.readonly_fields
        own = ("is_superuser", "is_active") if obj.pk == request.user.pk else ()
        return (*self.readonly_fields, *((*_IDENTITY, *_ROLES) if obj.follows_claim else own))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """With teams where they are given by hand."""
        if obj is not None and not obj.follows_claim:
            kwargs["form"] = LocalAccountForm
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Platform admins are what Django calls staff, too. A summary begins with the month that is summed up next."""
        if not obj.follows_claim:
            obj.is_staff = obj.is_platform_admin
            holder = User.objects.holder_of(obj.email)
            obj.email_trusted = holder is None or holder.pk == obj.pk
        if change and obj.wants_summary and "wants_summary" in form.changed_data:
            obj.summary_sent_for = summaries.latest(timezone.now())
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The teams, where they are given by hand."""
        super().save_related(request, form, formsets, change)
        if isinstance(form, LocalAccountForm):
            for name in _TEAMS:
                getattr(form.instance, name).set(form.cleaned_data[name])

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Set a person's new password. Raises PermissionDenied: the identity provider keeps theirs."""
        person = self.get_object(request, id)
        if not settings.LOCAL_ACCOUNTS or (person is not None and person.follows_claim):
            raise PermissionDenied("The identity provider manages this password.")
        return super().user_change_password(request, id, form_url)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People come by signing in, unless the portal has accounts of its own."""
        return bool(settings.LOCAL_ACCOUNTS)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the history names them. Deactivate people who left."""
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


class TeamGroupInline(AnyInline):
    """A team's groups at further identity providers (OIDC_PROVIDERS)."""

    model = TeamGroup
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only where there is a further provider."""
        return bool(settings.OIDC_PROVIDERS) and super().has_add_permission(request, obj)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The configured providers to choose from."""
        if db_field.name == "provider":
            return forms.ChoiceField(choices=[(one, one) for one in settings.OIDC_PROVIDERS])
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Team)
class TeamAdmin(BriefDeletion):
    """Teams: two groups of the identity provider with a name. Who is in them follows the groups claim."""

    list_display = ("name", "group", "manager_group", "cost_centre", "member_count", "live_environments")
    search_fields = ("name", "group", "manager_group", "cost_centre")
    readonly_fields = ("member_list", "manager_list")
    inlines = (TeamGroupInline,)
    fieldsets = (
        (None, {"fields": ("name", "group", "manager_group", "cost_centre")}),
        (
            "People",
            {"fields": ("member_list", "manager_list"), "description": "As of each person's last sign-in."},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        """With the numbers of members and environments."""
        rows: QuerySet[Team] = super().get_queryset(request)
        people, live = Team.members.through._default_manager.all(), Environment.objects.live()
        return rows.annotate(people=count_of(people, "team"), live_count=count_of(live, "team"))

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
        """Who is in it, with a link each."""
        return _links(row.members.all()) if row.pk else ""

    @admin.display(description="Managers")
    def manager_list(self, row: Team) -> SafeString | str:
        """Who manages it, with a link each."""
        return _links(row.managers.all()) if row.pk else ""


def _links(people: QuerySet[User]) -> SafeString:
    """The first of these people by their address, and how many more there are."""
    shown = people.order_by("email")[:FEW]
    first = [(reverse("admin:environments_user_change", args=[user.pk]), str(user)) for user in shown]
    links = format_html_join(", ", '<a href="{}">{}</a>', first)
    more = people.count() - len(first)
    return format_html("{} and {} more", links, more) if more else links
