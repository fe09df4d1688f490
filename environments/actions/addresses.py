"""Email addresses of the people who get access: their form, and whether the directory knows them."""

import difflib
from collections.abc import Iterable, Iterator

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from environments import directory
from environments.lib.errors import ReconcileError
from environments.models import Directory, User

MAX_ADDRESSES = 20  # in one form


def malformed(addresses: Iterable[str]) -> Iterator[str]:
    """A sentence for each address that is none."""
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError:
            yield f"“{address[:80]}” is not an email address."


def unknown(addresses: Iterable[str], asked_by: User, row: Directory | None) -> Iterator[str]:
    """A sentence for each address that the directory certainly does not know.

    A directory that does not answer is not waited for: the member's line says it later.
    """
    for address in _missing(list(addresses), row):
        yield _sentence(address, asked_by)


def _missing(addresses: list[str], row: Directory | None) -> list[str]:
    if row is None or not addresses:
        return []
    try:
        client = directory.connect(row)
        return [address for address in addresses if client.find_person(address) is None]
    except ReconcileError:
        return []


def _sentence(address: str, asked_by: User) -> str:
    mates = User.objects.filter(teams__in=asked_by.teams.all()).values_list("email", flat=True)
    close = difflib.get_close_matches(address, sorted(set(mates)), n=1, cutoff=0.8)
    found = f"We couldn't find {address} in the company directory."
    return f"{found} Did you mean {close[0]}?" if close else found
