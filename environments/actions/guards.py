"""What every verb does first: ask whether the actor may, and wait until it is alone with a row."""

from django.core.exceptions import PermissionDenied, ValidationError

from environments.lib.phases import OVER
from environments.models import Environment, User


class EndedError(ValidationError):
    """An environment that is deleted or being deleted, or a request that is closed: its record does not change."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(_ended(environment), code="ended")


def _ended(environment: Environment) -> str:
    if not environment.is_granted:
        return "This request is closed and can't be changed."
    state = "was deleted" if environment.phase in OVER else "is being deleted"
    return f"This environment {state} and can't be changed."


def check_editable(environment: Environment, actor: User) -> None:
    """Raise PermissionDenied unless the actor may change the environment."""
    if not Environment.objects.editable_by(actor).filter(pk=environment.pk).exists():
        raise PermissionDenied("Only the owner and platform admins may change this environment.")


def check_not_over(environment: Environment) -> None:
    """Raise EndedError for the record of a deleted environment or a closed request."""
    if environment.phase in OVER:
        raise EndedError(environment)


def check_open(environment: Environment) -> None:
    """Raise EndedError for what is deleted or being deleted, and for a closed request."""
    if not environment.wanted:
        raise EndedError(environment)


def lock_person(user: User) -> None:
    """Wait for whatever else counts what is this person's. Call it in a transaction, before counting.

    PostgreSQL locks the row; SQLite begins every transaction with the lock on the whole database.
    """
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).values("pk").first()


def lock_open(environment: Environment) -> Environment:
    """The environment as it is stored now, locked until the transaction ends. Raises EndedError if it ends or ended."""
    row = Environment.objects.select_for_update(no_key=True).filter(pk=environment.pk).first()
    if row is None or not row.wanted:
        raise EndedError(row or environment)
    return row
