"""The forms of changes to an environment that is there: its size and answers, a later end, an update to approve."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from environments.actions import resizing
from environments.actions.drafts import parameter_field, usable_sizes
from environments.actions.resizing import Resize
from environments.lib import quantities
from environments.lib.row_fields import RowField
from environments.models import Environment, NetworkOpening, User
from environments.models.changes import MAX_REASON
from environments.spec import Mode, Size
from environments.web.forms import add_refusal, form_field, size_figures


def _reason(*, required: bool, help_text: str) -> forms.CharField:
    return forms.CharField(
        label="Reason",
        required=required,
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=help_text,
        error_messages={"required": "Tell the approvers why."},
    )


class ResizeForm(forms.Form):
    """Another size or other answers; begins with those that the environment has."""

    planned: Resize | None = None  # once the size and the answers are right

    def __init__(self, environment: Environment, user: User, data: Any = None, *, chosen: str = "") -> None:
        super().__init__(data)
        self.environment, self.user, self.spec = environment, user, environment.template_spec
        own = self.spec.size(environment.size)
        usable = usable_sizes(self.spec, user)
        self.sizes = [size for size in self.spec.sizes if size in usable or size == own]
        if self.sizes:
            choices = [(size.name, size.title) for size in self.sizes]
            known = chosen if chosen in dict(choices) else environment.size
            self.fields["size"] = forms.ChoiceField(choices=choices, initial=known, widget=forms.RadioSelect)
        for parameter in self.spec.parameters:
            if parameter.mode is not Mode.FIXED:
                answer = environment.parameters.get(parameter.name, "")
                self.fields[parameter_field(parameter.name)] = form_field(parameter, self.spec, answer)
        self.fields["below_use"] = forms.BooleanField(
            label="Go below what is used now",
            required=False,
            help_text="Running pods stay. New pods and updates are rejected until usage drops.",
        )
        self.fields["reason"] = _reason(required=False, help_text="For the approvers, if someone has to approve it.")

    @property
    def size_cards(self) -> list[dict[str, Any]]:
        """The sizes with their main figures, and what of the present usage would be too much for them."""
        chosen = self["size"].value() if self.sizes else None
        return [
            {
                "name": size.name,
                "label": size.title,
                "figures": size_figures(self.spec, size),
                "is_own": size.name == self.environment.size,
                "over": self._over(size),
                "checked": size.name == chosen,
            }
            for size in self.sizes
        ]

    @property
    def may_go_below(self) -> bool:
        """Whether something that can be chosen is less than what is used, so that it takes a tick."""
        return bool(self.planned and self.planned.shortages) or any(self._over(size) for size in self.sizes)

    def parameter_fields(self) -> list[forms.BoundField]:
        """The template's own questions."""
        names = [parameter_field(each.name) for each in self.spec.parameters]
        return [self[name] for name in names if name in self.fields]

    def clean(self) -> dict[str, Any]:
        """What no cluster takes, each sentence at its field."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.planned = resizing.plan(self.environment, self.user, self.size(), self.answers())
            except ValidationError as refusal:
                add_refusal(self, refusal)
        return cleaned

    def size(self) -> str:
        """The chosen size; empty for a template without sizes."""
        return str(self.cleaned_data.get("size", ""))

    def answers(self) -> dict[str, str]:
        """The answers to the questions that are free."""
        asked = [each.name for each in self.spec.parameters if parameter_field(each.name) in self.fields]
        given = {name: self.cleaned_data.get(parameter_field(name)) for name in asked}
        return {name: str(value).lower() if isinstance(value, bool) else value or "" for name, value in given.items()}

    def _over(self, size: Size) -> list[str]:
        """The resources of which more is used than a size allows, as far as its figures do not hang on answers."""
        hard = {name: amount for name, amount in (self.spec.quota | size.quota).items() if "${" not in amount}
        used = {name: use for name, (use, _) in self.environment.usage.items() if name in hard}
        return [quantities.name(name) for name, use in used.items() if quantities.exceeds(use, hard[name])]


class EndForm(forms.Form):
    """A later last day, and why."""

    last_day = forms.DateField(
        label="Last day",
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"required": "Choose the last day.", "invalid": "Enter a day, for example 2027-01-31."},
    )
    reason = _reason(required=True, help_text="Shown to the approvers, and kept in the history.")

    def __init__(self, environment: Environment, data: Any = None) -> None:
        super().__init__(data)
        earliest = max(environment.ends_at or timezone.now(), timezone.now()).date()
        self.fields["last_day"].widget.attrs["min"] = earliest.isoformat()
        self.fields["last_day"].help_text = "UTC. An approver decides; until then the environment does not expire."


class OpeningForm(forms.Form):
    """The opening that is asked for, and why."""

    opening = RowField(
        NetworkOpening.objects.none(),
        empty_label="Choose an opening",
        to_field_name="slug",
        error_messages={"required": "Choose an opening.", "invalid_choice": "This opening is not offered here."},
    )
    reason = _reason(required=False, help_text="For the approvers, if someone has to approve it.")

    def __init__(self, environment: Environment, data: Any = None) -> None:
        super().__init__(data)
        offers = NetworkOpening.objects.filter(cluster=environment.cluster_id, is_offered=True)
        self.fields["opening"].queryset = offers  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    """Why an update should be approved."""

    reason = _reason(required=False, help_text="Shown to the approvers, and kept in the history.")
