"""The form that takes what a person pastes about their own token. What was pasted is never sent back."""

from typing import Any

from django import forms


class PastedText(forms.Textarea):
    """A text area that does not give back what was pasted, not even with an error: it may have been a token."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """The widget's context, without the value."""
        return super().get_context(name, None, attrs)


class PasteForm(forms.Form):
    """What one of the two commands printed."""

    pasted = forms.CharField(
        label="What the command printed",
        help_text="Names and groups only. Never paste a token: the portal would refuse it.",
        error_messages={"required": "Paste what one of the commands prints."},
        widget=PastedText(
            attrs={
                "rows": 6,
                "class": "vLargeTextField",
                "autocomplete": "off",
                "autocapitalize": "off",
                "spellcheck": "false",
            }
        ),
    )
