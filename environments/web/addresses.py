"""Lists of email addresses as people type them, and whether they are in the directory."""

import difflib
import re

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from environments import directory
from environments.lib.errors import ReconcileError
from environments.models import Directory, User

MAX_ADDRESSES = 20  # in one form


class AddressesField(forms.CharField):
    """Addresses separated by spaces, commas or lines; cleaned, a list with each once, in lower case."""

    widget = forms.Textarea(attrs={"rows": 2})

    def clean(self, value: object) -> list[str]:
        """The addresses. Raises ValidationError at the first that is none, or if there are too many."""
        typed = str(super().clean(value))
        addresses = list(dict.fromkeys(part.lower() for part in re.split(r"[\s,;]+", typed) if part))
        if len(addresses) > MAX_ADDRESSES:
            raise ValidationError(f"Enter at most {MAX_ADDRESSES} addresses. You entered {len(addresses)}.")
        for address in addresses:
            _check(address)
        return addresses


def check_known(addresses: list[str], asked_by: User, row: Directory | None = None) -> None:
    """Raise ValidationError with a sentence for each address that is certainly not in the directory.

    If the directory does not answer, the address is accepted: the member's line will show it later.
    """
    if not addresses:
        return
    unknown = _unknown(addresses, row or Directory.objects.filter(is_default=True).first())
    if unknown:
        raise ValidationError([_sentence(address, asked_by) for address in unknown])


def _check(address: str) -> None:
    try:
        validate_email(address)
    except ValidationError:
        raise ValidationError(f"“{address[:80]}” is not an email address. Use the form name@example.com.") from None


def _unknown(addresses: list[str], row: Directory | None) -> list[str]:
    if row is None:
        return []
    try:
        client = directory.connect(row)
        return [address for address in addresses if client.find_person(address) is None]
    except ReconcileError:
        return []


def _sentence(address: str, asked_by: User) -> str:
    mates = User.objects.filter(teams__in=asked_by.teams.all()).values_list("email", flat=True)
    close = difflib.get_close_matches(address, sorted(set(mates)), n=1, cutoff=0.8)
    return f"We couldn't find {address} in the company directory." + (f" Did you mean {close[0]}?" if close else "")
