"""Stand-ins in the admin: a platform admin names one for a manager who is away, or ends one. Rows are never changed."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from environments.actions import stand_ins
from environments.admin.base import AnyForm, ReadOnlyAdmin, actor, pill
from environments.models import StandIn, User
from environments.models.stand_ins import today


class StandInForm(AnyForm):
    """A manager, their stand-in, and the last day."""

    class Meta:
        model = StandIn
        fields = ("absent", "person", "last_day")
        labels: ClassVar = {"absent": "Manager", "person": "Stand-in", "last_day": "Until the end of"}
        help_texts: ClassVar = {
            "person": "A member or manager of one of the manager's teams, or a platform admin.",
            "last_day": f"UTC, at most {stand_ins.LONGEST.days} days from today.",
        }

    def clean(self) -> dict[str, Any]:
        """Ask the verb's own checks, so that each refusal is said at its field."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                stand_ins.check(cleaned["absent"], cleaned["person"], cleaned["last_day"])
            except ValidationError as refusal:
                self._refuse(refusal)
        return cleaned

    def _refuse(self, refusal: ValidationError) -> None:
        by_field = refusal.error_dict if hasattr(refusal, "error_dict") else {"absent": refusal.error_list}
        for name, errors in by_field.items():
            self.add_error(name, errors)

    def validate_constraints(self) -> None:
        """Skip Django's check: the verb ends the stand-in that there is."""


@admin.register(StandIn)
class StandInAdmin(ReadOnlyAdmin):
    """Who stood in for whom; naming one ends the one before."""

    form = StandInForm
    list_display = ("absent", "person", "last_day", "state", "named_by", "named_at", "ended_by", "ended_at")
    list_select_related = ("absent", "person", "named_by", "ended_by")
    search_fields = ("absent__email", "person__email")
    autocomplete_fields = ("absent", "person")
    actions = ("end",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Platform admins name stand-ins."""
        return self.has_module_permission(request)

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Platform admins end them."""
        return self.has_module_permission(request)

    def save_model(self, request: HttpRequest, obj: StandIn, form: Any, change: bool) -> None:
        """Name the stand-in; they get an email."""
        row = stand_ins.name(obj.absent, obj.person, obj.last_day, actor(request))
        obj.pk, obj.named_by = row.pk, row.named_by

    @admin.action(description="End now", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[StandIn]) -> None:
        """End those that still count."""
        managers = User.objects.filter(pk__in=queryset.current().values("absent"))  # type: ignore[attr-defined]
        ended = [self._end(request, each) for each in managers]
        self.message_user(request, f"Stand-ins ended: {sum(ended)}.", messages.SUCCESS)

    def _end(self, request: HttpRequest, absent: User) -> bool:
        try:
            row = stand_ins.end(absent, actor(request))
        except (ValidationError, PermissionDenied):
            return False
        self.log_change(request, row, "Ended.")
        return True

    @admin.display(description="State")
    def state(self, row: StandIn) -> SafeString:
        """Whether it counts today."""
        return pill("current", "ok") if row.ended_at is None and row.last_day >= today() else pill("ended")
