"""Lists of email addresses as people type them."""

import re

from django import forms
from django.core.exceptions import ValidationError

from environments.actions.addresses import malformed


class AddressesField(forms.CharField):
    """Addresses separated by spaces, commas or lines; cleaned, a list with each once, in lower case."""

    widget = forms.Textarea(attrs={"rows": 2})

    def clean(self, value: object) -> list[str]:
        """Raises ValidationError with a sentence for each that is no address."""
        typed = str(super().clean(value))
        addresses = list(dict.fromkeys(part.lower() for part in re.split(r"[\s,;]+", typed) if part))
        if found := list(malformed(addresses)):
            raise ValidationError(found)
        return addresses
