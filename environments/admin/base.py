"""Shared parts of the admin: who can enter it, its front page, and read-only rows."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from environments.models import Cluster, User

if TYPE_CHECKING:
    AnyAdmin = admin.ModelAdmin[Any]
    AnyInline = admin.TabularInline[Any, Any]
    AnyForm = forms.ModelForm[Any]
else:  # Django's own classes cannot be subscripted
    AnyAdmin, AnyInline, AnyForm = admin.ModelAdmin, admin.TabularInline, forms.ModelForm

#: Not for hands: roles follow the groups claim, single sign-on is set up in the environment (portal/env.py).
_ELSEWHERE = (Group, EmailAddress, SocialAccount, SocialApp, SocialToken)
_GROUPS = {
    "Catalog": ("Template", "TemplateVersion"),
    "Infrastructure": ("Cluster", "Rate", "Directory"),
    "People": ("User", "Team", "Invitation"),
    "Records": ("Environment", "Condition", "Event", "LogEntry"),
}
#: They put themselves on the site when they are imported: before now, so that they can be taken off again.
_OTHERS = ("django.contrib.auth.admin", "allauth.account.admin", "allauth.socialaccount.admin")


def actor(request: HttpRequest) -> User:
    """The signed-in user. Raises PermissionDenied without one, which the admin's own check prevents."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def is_platform_admin(request: HttpRequest) -> bool:
    """Whether the signed-in user can enter the admin. Django's own check, `is_staff`, is not used."""
    user = request.user
    return isinstance(user, User) and user.is_active and user.is_platform_admin


def set_up_site() -> None:
    """Make Django's default admin site the portal's: its door, and only the portal's own rows."""
    admin.site.has_permission = is_platform_admin  # type: ignore[method-assign]
    admin.site.get_app_list = _grouped(admin.site.get_app_list)  # type: ignore[method-assign]
    admin.site.each_context = _with_unguarded(  # type: ignore[assignment, method-assign]
        admin.site.each_context
    )
    admin.site.index_title = "Administration"
    for module in _OTHERS:
        import_module(module)
    for model in _ELSEWHERE:
        if admin.site.is_registered(model):
            admin.site.unregister(model)


def _with_unguarded(context: Callable[[HttpRequest], dict[str, Any]]) -> Callable[[HttpRequest], dict[str, Any]]:
    """Every page's context, with the clusters that lost their admission policies; asked where they are shown."""

    def each_context(request: HttpRequest) -> dict[str, Any]:
        shown = Cluster.objects.unguarded().only("name", "admission_state", "admission_looked_at")
        return context(request) | {"unguarded": shown}

    return each_context


def _grouped(listed: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """The front page by what people do, not by the alphabet; `listed` is Django's own list of apps."""

    def groups(request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = listed(request, app_label)
        if app_label:
            return apps
        models = {model["object_name"]: model | {"app": app} for app in apps for model in app["models"]}
        found = [(name, [models.pop(model) for model in names if model in models]) for name, names in _GROUPS.items()]
        found.append(("More", list(models.values())))
        return [rows[0]["app"] | {"name": name, "models": rows} for name, rows in found if rows]

    return groups


class ReadOnlyAdmin(AnyAdmin):
    """Rows that the portal writes and people only read."""

    show_full_result_count = False  # counting all events takes long, and nobody asked
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds these by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes these by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes these by hand."""
        return False


class ReadOnlyInline(AnyInline):
    """Rows of another model on its page, only read."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds these by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes these by hand."""
        return False


def pill(text: str, tone: str = "") -> SafeString:
    """A state: a dot in its colour with the word beside it."""
    return format_html('<span class="pill {}">{}</span>', tone, text)
