"""The forms of an action on several environments."""

from typing import Any, cast

from django import forms

from environments.actions import bulk
from environments.actions.bulk import Step, Verb
from environments.lib.phases import Role
from environments.web.forms import NO_ACCESS


class BulkForm(forms.Form):
    """What one verb needs to know besides the environments; nothing for most."""

    def step(self) -> Step:
        """What the checked form does to each environment."""
        raise NotImplementedError


class ExtendForm(BulkForm):
    """Extend."""

    def step(self) -> Step:
        """Extend each once more."""
        return bulk.extend


class MoveForm(BulkForm):
    """Update to the newest version."""

    def step(self) -> Step:
        """Move each to its template's published version."""
        return bulk.move


class DeleteForm(BulkForm):
    """Delete."""

    def step(self) -> Step:
        """Delete each."""
        return bulk.delete


class HandOverForm(BulkForm):
    """The new owner, and what the current owners keep."""

    address = forms.EmailField(
        label="New owner", help_text="Their email address. They must have signed in to this portal once."
    )
    keep = forms.ChoiceField(
        label="Current owners keep",
        choices=[("", "Choose a role"), *[(role.value, str(role.label)) for role in Role], (NO_ACCESS, "No access")],
        error_messages={"required": "Choose what the current owners keep."},
    )

    def step(self) -> Step:
        """Hand each over."""
        keep = self.cleaned_data["keep"]
        return bulk.hand_over(self.cleaned_data["address"], None if keep == NO_ACCESS else Role(keep))


class ConfirmForm(forms.Form):
    """The number of environments, typed to confirm that they are deleted."""

    number = forms.IntegerField(
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        error_messages={"required": "Type the number to confirm.", "invalid": "Type the number to confirm."},
    )

    def __init__(self, expected: int, data: Any = None) -> None:
        super().__init__(data)
        self.expected = expected
        cast(forms.IntegerField, self.fields["number"]).label = f"Type {expected} to confirm"

    def clean_number(self) -> int:
        """The number, if it is the expected one."""
        number = int(self.cleaned_data["number"])
        if number != self.expected:
            raise forms.ValidationError(f"Type {self.expected} to confirm.")
        return number


FORMS: dict[Verb, type[BulkForm]] = {
    Verb.EXTEND: ExtendForm,
    Verb.MOVE: MoveForm,
    Verb.HAND_OVER: HandOverForm,
    Verb.DELETE: DeleteForm,
}
