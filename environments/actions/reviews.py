"""Answers to the question whether an environment is still needed: keep it, make it smaller, delete it."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from environments.actions import guards
from environments.lib.activity import Activity
from environments.models import Environment, Event, Review, User
from environments.models.reviews import Answer

_MIB = 2**20


def keep(environment: Environment, actor: User) -> None:
    """Say that the environment is still needed; an end that the portal set for want of an answer is taken back.

    Raises ValidationError if there is no open question; PermissionDenied; EndedError.
    """
    guards.check_editable(environment, actor)
    with transaction.atomic():
        row = guards.lock_open(environment)
        review = Review.objects.open().filter(environment=row).first()
        if review is None:
            raise ValidationError("This was answered already.", code="answered")
        close(row, Answer.KEEP, actor)
        text = f"{actor} said that this environment is still needed."
        if review.set_end_at:
            changes = {"ends_at": review.ends_before, "noticed_days": None, "noticed_at": None}
            Environment.objects.filter(pk=row.pk).update(**changes)
            text += " The end that was set is taken back."
        Event.record(row, actor, Activity.STILL_NEEDED, text)


def close(environment: Environment, answer: Answer, actor: User | None, after: Environment | None = None) -> None:
    """Note the answer to an open question, if there is one, and what it frees: all, or the part until `after`."""
    freed = {} if answer == Answer.KEEP else _freed(environment, after)
    Review.objects.open().filter(environment=environment).update(
        answer=answer, answered_at=timezone.now(), answered_by=actor, freed=freed
    )


def _freed(before: Environment, after: Environment | None) -> dict[str, int]:
    found = _reserved(before)
    left = _reserved(after) if after else {}
    return {name: max(0, amount - left.get(name, 0)) for name, amount in found.items()}


def _reserved(environment: Environment) -> dict[str, int]:
    """What a quota reserves, in the units of consumption: millicores, MiB, GPUs."""
    return {
        "cpu": int(Decimal(environment.reserved_cpu) * 1000),
        "memory": environment.reserved_memory // _MIB,
        "storage": (environment.reserved_storage or 0) // _MIB,
        "gpu": environment.reserved_gpus or 0,
    }
