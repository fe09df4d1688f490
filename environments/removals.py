"""The beginning of an environment's end, whoever asks for it: a person, or the calendar."""

from django.db import transaction
from django.db.models import F

from environments.models import Condition, Environment, Event, User
from environments.phases import Phase
from environments.steps import REMOVALS


def ask(environment: Environment, actor: User | None, verb: str, message: str) -> bool:
    """Mark an environment as to be removed, with the event; False where that was asked for already.

    Whoever calls enqueues the reconcile after the commit.
    """
    with transaction.atomic():
        asked = Environment.objects.filter(pk=environment.pk, wanted=True)
        if not asked.update(wanted=False, phase=Phase.DELETING, generation=F("generation") + 1, next_reconcile_at=None):
            return False
        environment.conditions.all().delete()
        Condition.objects.bulk_create(Condition(environment=environment, type=step.type) for step in REMOVALS)
        Event.record(environment, actor, verb, message)
    return True
