"""Form fields for secrets: stored encrypted, never shown again, and sent only to the address they are for."""

from typing import Any, ClassVar

from django import forms

from environments.admin.base import AnyForm
from environments.lib import destinations
from environments.lib.errors import PermanentError

KEPT = "A value is stored and never shown. Leave this empty to keep it."
NOTHING = "No value is stored yet."
ONCE_MORE = "Enter this again. The page never sends it back, even if another field has an error."
MOVED = "The address changed. Enter this again; the stored value was for the old address."


def check_address(url: str) -> None:
    """Raises ValidationError where the portal never connects there (DENIED_NETWORKS). What a name leads to is looked
    at when it is connected to.
    """
    try:
        destinations.check_url(url)
    except PermanentError as error:
        raise forms.ValidationError(error.message) from None


class WriteOnlyTextarea(forms.Textarea):
    """A text area that does not give back what was typed, not even when the form has errors."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """The widget's context, without the value."""
        return super().get_context(name, None, attrs)


class WriteOnlyField(forms.CharField):
    """A secret. Empty means: as it is."""

    def __init__(self, *, help_text: str = "") -> None:
        attrs = {"rows": 4, "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "class": "secret"}
        super().__init__(required=False, widget=WriteOnlyTextarea(attrs=attrs), help_text=help_text)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether something was typed: an empty field changes nothing, and the log shall not say that it did."""
        return bool(str(data or "").strip())


class SecretForm(AnyForm):
    """A form with one write-only field. A stored secret is never sent to an address that it was not stored for."""

    secret_field: ClassVar[str]
    address_fields: ClassVar[tuple[str, ...]]  # they say where the secret goes

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored = str(getattr(self.instance, self.secret_field)) if self.instance.pk else ""
        self.initial.pop(self.secret_field, None)
        field = self.fields[self.secret_field]
        field.help_text = f"{KEPT if self.stored else NOTHING} {field.help_text}".strip()

    def full_clean(self) -> None:
        """Check everything; where something else is wrong, say that the secret has to be typed again."""
        super().full_clean()
        typed = self.is_bound and self.data.get(self.add_prefix(self.secret_field), "").strip()
        if typed and self.errors and self.secret_field not in self.errors:
            self.add_error(self.secret_field, ONCE_MORE)

    def clean(self) -> dict[str, Any]:
        """An empty secret becomes the stored one, unless it would then go somewhere else."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get(self.secret_field) or not self.stored or self.secret_field in self.errors:
            return cleaned
        if self.has_moved():
            self.add_error(self.secret_field, MOVED)
        else:
            cleaned[self.secret_field] = self.stored
        return cleaned

    def has_moved(self) -> bool:
        """Whether the stored secret would go elsewhere than before."""
        return not set(self.address_fields).isdisjoint(self.changed_data)
