"""What the admin does with ids and searches that cannot be: an error at the field, instead of an error page.

Django's own fields and widgets pass whatever was posted to the database, which refuses what is no id of this kind, and
numbers that its columns cannot hold.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AutocompleteMixin, AutocompleteSelect, AutocompleteSelectMultiple
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from environments.lib.row_fields import RowField, RowsField, is_id

MOST_SEARCHED = 200  # characters: SQLite refuses patterns of more than 50,000

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = object


def searchable(text: str) -> str:
    """What of a text can be searched for."""
    return text[:MOST_SEARCHED].replace("\0", "")


class AnyInput(_Admin):
    """For every `ModelAdmin`."""

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """As Django's, for the beginning of the text."""
        return super().get_search_results(request, queryset, searchable(search_term))

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> HttpResponse | None:
        """As Django's, where all selected rows may exist."""
        if all(is_id(self.model, each) for each in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            return super().response_action(request, queryset, *args, **kwargs)
        self.message_user(request, "The selection was not valid. Select the rows again.", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """One row, chosen with our widgets and fields."""
        return super().formfield_for_foreignkey(db_field, request, **{"form_class": RowField} | kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Several rows, chosen with our widgets and fields."""
        return super().formfield_for_manytomany(db_field, request, **{"form_class": RowsField} | kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """As Django's; its widgets look up whatever was posted."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        inner = getattr(getattr(field, "widget", None), "widget", getattr(field, "widget", None))
        if isinstance(inner, AutocompleteMixin):
            inner.__class__ = _Several if isinstance(inner, AutocompleteSelectMultiple) else _One
        return field


def _known(widget: AutocompleteMixin, value: Iterable[Any]) -> list[Any]:
    """Only what may be the id of a row is looked up, to be shown again."""
    return [each for each in value if each == "" or is_id(widget.choices.queryset.model, each)]


class _One(AutocompleteSelect):
    def optgroups(self, name: str, value: Iterable[Any], attr: Any = None) -> Any:
        """As Django's."""
        return super().optgroups(name, _known(self, value), attr)


class _Several(AutocompleteSelectMultiple):
    def optgroups(self, name: str, value: Iterable[Any], attr: Any = None) -> Any:
        """As Django's."""
        return super().optgroups(name, _known(self, value), attr)
