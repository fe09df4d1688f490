"""Rates in the admin: what a cluster's resources cost from a day on. The log keeps earlier values."""

from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from environments.admin.base import AnyAdmin, AnyForm, pill
from environments.models import Rate

_PRICES = ("cpu_hour", "memory_hour", "storage_hour", "gpu_hour")
_CHARGED = (
    "Costs are charged hourly for what an environment's quota reserves, used or not, while the portal observes it. "
    "Each day uses the rate that is valid on it. To change a price, add a rate that starts on a later day."
)


class RateForm(AnyForm):
    """One cluster's prices from a day on."""

    class Meta:
        model = Rate
        fields = ("cluster", "starts_on", *_PRICES)
        help_texts: ClassVar = {
            "starts_on": "Valid from the start of this day (UTC) until the cluster's next rate.",
            "cpu_hour": "For each core of the quota's requests.cpu. Enter 0 if it is free.",
            "memory_hour": "For each GiB of the quota's requests.memory.",
            "storage_hour": "For each GiB of the quota's requests.storage.",
            "gpu_hour": "For each GPU of the quota.",
        }
        error_messages: ClassVar = {name: {"min_value": "Enter 0 or more."} for name in _PRICES}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cluster"].disabled = self.instance.pk is not None  # another cluster's rate is another rate

    def clean(self) -> dict[str, Any]:
        """One rate a cluster and day."""
        cleaned = super().clean() or self.cleaned_data
        cluster, day = cleaned.get("cluster"), cleaned.get("starts_on")
        others = Rate.objects.exclude(pk=self.instance.pk)
        if cluster and day and others.filter(cluster=cluster, starts_on=day).exists():
            self.add_error("starts_on", f"{cluster} already has a rate from {day:%-d %B %Y}. Change that one.")
        return cleaned


@admin.register(Rate)
class RateAdmin(AnyAdmin):
    """Rates: added for a day to come. Correcting one that was in force changes reports; the log has both figures."""

    form = RateForm
    list_display = ("starts_on", "cluster", "state", *_PRICES)
    list_filter = ("cluster",)
    list_select_related = ("cluster",)
    ordering = ("cluster__name", "-starts_on")
    list_per_page = 50
    actions = None

    def get_fieldsets(self, request: HttpRequest, obj: Rate | None = None) -> Any:
        """With the currency that this portal counts in."""
        prices = f"Prices in {settings.CURRENCY}"
        return ((None, {"fields": ("cluster", "starts_on")}), (prices, {"fields": _PRICES, "description": _CHARGED}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rate]:
        """With whether another one has followed by today."""
        rows: QuerySet[Rate] = super().get_queryset(request)
        later = Rate.objects.filter(
            cluster=OuterRef("cluster"), starts_on__gt=OuterRef("starts_on"), starts_on__lte=_today()
        )
        return rows.annotate(was_followed=Exists(later))

    @admin.display(description="State")
    def state(self, row: Any) -> SafeString:
        """Whether it is in force."""
        if row.starts_on > _today():
            return pill("upcoming", "wait")
        return pill("expired") if row.was_followed else pill("current", "ok")

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """What the log says: of a change, each figure before and after."""
        if add:
            return super().construct_change_message(request, form, formsets, add)
        differences = [_difference(form, name) for name in form.changed_data]
        return [{"changed": {"fields": differences}}] if differences else []

    def save_model(self, request: HttpRequest, obj: Rate, form: Any, change: bool) -> None:
        """Store it; where it concerns days that are over, say what that means."""
        super().save_model(request, obj, form, change)
        days = [obj.starts_on, form.initial.get("starts_on", obj.starts_on)]
        if form.changed_data and min(days) < _today():
            sentence = f"Costs since {min(days):%-d %B %Y} now use this rate. Reports about that time change."
            messages.warning(request, sentence)

    def delete_model(self, request: HttpRequest, obj: Rate) -> None:
        """Delete it; the log keeps what it said."""
        prices = ", ".join(f"{_label(name)} {_plain(getattr(obj, name))}" for name in _PRICES)
        self.log_change(request, obj, f"Deleted. Prices were: {prices}.")
        super().delete_model(request, obj)


def _difference(form: Any, name: str) -> str:
    return f"{_label(name)} from {_plain(form.initial[name])} to {_plain(form.cleaned_data[name])}"


def _plain(value: date | Decimal) -> str:
    """A day, or a figure without the zeros that only its column has."""
    text = f"{value:f}" if isinstance(value, Decimal) else value.isoformat()
    return text.rstrip("0").rstrip(".") if "." in text else text


def _label(name: str) -> str:
    return str(Rate._meta.get_field(name).verbose_name)  # type: ignore[union-attr]


def _today() -> date:
    return timezone.now().date()
