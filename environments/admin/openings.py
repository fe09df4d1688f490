"""Network openings in the admin: what a cluster offers, a destination a line."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from environments.actions import openings
from environments.admin.base import AnyAdmin, AnyForm
from environments.models import NetworkOpening
from environments.spec.openings import parse_lines

_SHOWN = 3  # destinations in the list


class OpeningForm(AnyForm):
    """An opening, its destinations as lines."""

    lines = forms.CharField(
        label="Destinations",
        widget=forms.Textarea(attrs={"rows": 6, "cols": 60}),
        max_length=5000,
        help_text="One a line: a block of addresses, or a namespace label, then the ports. For example "
        "“10.20.0.5/32 5432”, “0.0.0.0/0 443,80” or “team=payments 8443/TCP”. Without ports: all of them.",
    )

    class Meta:
        model = NetworkOpening
        fields = ("cluster", "slug", "name", "description", "decider", "days", "is_offered")
        widgets: ClassVar = {"days": forms.NumberInput(attrs={"min": 1})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["lines"].initial = self.instance.rules.lines()
            for name in ("cluster", "slug"):  # environments know it by these
                self.fields[name].disabled = True

    def clean_days(self) -> int | None:
        """At least a day."""
        days: int | None = self.cleaned_data.get("days")
        if days == 0:
            raise ValidationError("Enter 1 or more, or leave it empty.")
        return days

    def clean_lines(self) -> str:
        """Each line a destination that the API server takes."""
        text: str = self.cleaned_data["lines"]
        try:
            self.instance.destinations = parse_lines(text).model_dump(mode="json")
        except ValueError as error:
            raise ValidationError(str(error).splitlines()) from error
        return text


@admin.register(NetworkOpening)
class OpeningAdmin(AnyAdmin):
    """What environments on a cluster can ask to reach. Environments that have an opening follow its changes."""

    form = OpeningForm
    list_display = ("name", "cluster", "reaches", "decider", "days", "is_offered")
    list_filter = ("cluster", "is_offered")
    list_select_related = ("cluster",)
    search_fields = ("name", "slug")
    search_help_text = "Search by name."
    ordering = ("cluster__name", "name")
    actions = None
    fields = ("cluster", "name", "slug", "description", "lines", "decider", "days", "is_offered")

    @admin.display(description="Destinations")
    def reaches(self, row: NetworkOpening) -> str:
        """The first destinations."""
        lines = row.rules.lines().splitlines()
        more = len(lines) - _SHOWN
        return ", ".join(lines[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

    def save_model(self, request: HttpRequest, obj: NetworkOpening, form: Any, change: bool) -> None:
        """Store it, and have the environments that have it follow."""
        super().save_model(request, obj, form, change)
        if change and (number := openings.follow(obj)):
            messages.success(request, f"Updated in {number} environment{'' if number == 1 else 's'}.")

    def has_delete_permission(self, request: HttpRequest, obj: NetworkOpening | None = None) -> bool:
        """Not while an environment has it: what its policy allows would have no owner."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not openings.in_use(obj))
