"""What every verb does first: ask whether the actor may, and wait until it is alone with a row."""

from django.core.exceptions import PermissionDenied

from environments.models import Environment, User


def check_editable(environment: Environment, actor: User) -> None:
    """Raise PermissionDenied unless the actor may change the environment."""
    if not Environment.objects.editable_by(actor).filter(pk=environment.pk).exists():
        raise PermissionDenied("Only the owner and platform admins may change this environment.")


def lock_person(user: User) -> None:
    """Wait for whatever else counts this person's environments. Call it in a transaction, before counting.

    PostgreSQL locks the row; SQLite begins every transaction with the lock on the whole database.
    """
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).values("pk").first()


def lock_environment(environment: Environment) -> Environment | None:
    """The environment as it is stored now, locked until the transaction ends; None if it no longer exists."""
    return Environment.objects.select_for_update(no_key=True).filter(pk=environment.pk).first()
