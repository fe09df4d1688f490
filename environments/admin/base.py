"""Shared parts of the admin's pages: who acts, read-only rows, and states."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from environments.admin.any_input import AnyInput
from environments.models import User

if TYPE_CHECKING:
    AnyAdmin = admin.ModelAdmin[Any]
    AnyInline = admin.TabularInline[Any, Any]
    AnyForm = forms.ModelForm[Any]
else:  # Django's own classes cannot be subscripted
    AnyInline, AnyForm = admin.TabularInline, forms.ModelForm

    class AnyAdmin(AnyInput, admin.ModelAdmin):
        """Django's, and no input makes an error page."""


def actor(request: HttpRequest) -> User:
    """The signed-in user. Raises PermissionDenied without one, which the admin's own check prevents."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


class ReadOnlyAdmin(AnyAdmin):
    """Rows that the portal writes and people only read."""

    show_full_result_count = False  # counting all events takes long, and no page needs it
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """No admin adds these by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No admin changes these by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No admin deletes these by hand."""
        return False


class ReadOnlyInline(AnyInline):
    """Rows of another model on its page, only read."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No admin adds these by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No admin changes these by hand."""
        return False


def pill(text: str, tone: str = "") -> SafeString:
    """A state: a dot in its colour with the word beside it."""
    return format_html('<span class="pill {}">{}</span>', tone, text)
