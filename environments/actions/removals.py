"""The beginning of an environment's end, whether a person or the calendar asks for it."""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from environments.actions import asking, reviews
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import ChangeKind, Condition, Environment, Event, User
from environments.models.reviews import Answer
from environments.reconcile.steps import REMOVALS


def ask(environment: Environment, actor: User | None, kind: Activity, message: str) -> bool:
    """Mark an environment as to be removed, with the event; False where that was asked for already.

    The caller enqueues the reconcile after the commit. What still waits for approval is withdrawn instead.
    """
    with transaction.atomic():
        if withdraw(environment, actor, message):
            return True
        asked = Environment.objects.filter(pk=environment.pk, wanted=True)
        changes = {"wanted": False, "generation": F("generation") + 1, "next_reconcile_at": None}
        if not asked.move_to(Phase.DELETING, **changes):
            return False
        environment.conditions.all().delete()
        Condition.objects.bulk_create(Condition(environment=environment, type=step.type) for step in REMOVALS)
        reviews.close(environment, Answer.DELETE if actor else Answer.NONE, actor)
        asking.replace(environment, ChangeKind, "the environment is being deleted")
        Event.record(environment, actor, kind, message)
    return True


def withdraw(environment: Environment, actor: User | None, message: str, note: str = "") -> bool:
    """End a request that waits for approval; False where it does not. Nothing was made, so nothing is removed.

    `message` is its line of the history, `note` the reason of the person who withdraws it. The requester
    gets an email, unless they did it themselves.
    """
    with transaction.atomic():
        waiting = Environment.objects.awaiting_approval().filter(pk=environment.pk)
        changes = {"wanted": False, "observed_generation": F("generation"), "deleted_at": timezone.now()}
        if not waiting.move_to(Phase.WITHDRAWN, **changes):
            return False
        environment.conditions.all().delete()
        is_news = actor is None or actor.pk != environment.owner_id
        data = {"note": note} if note else None
        Event.record(environment, actor, Activity.WITHDRAWN, message, data, notice_owed=is_news)
    return True
