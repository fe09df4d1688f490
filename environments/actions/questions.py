"""Questions about a request: an approver asks, the requester answers. The request keeps its place in the queue."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from environments.actions import approvals
from environments.lib.activity import Activity
from environments.models import Environment, Event, Question, User
from environments.models.questions import MAX_TEXT


def ask(environment: Environment, actor: User, text: str) -> Question:
    """Ask the requester a question; they get an email. Nothing is decided.

    Raises ValidationError without a question (code `text`), while an earlier one has no answer, and if someone decided
    or withdrew the request before (code `overtaken`). Raises PermissionDenied.
    """
    text = _checked(text, "Enter your question.")
    if environment.owner_id == actor.pk or not _may_decide(environment, actor):
        raise PermissionDenied("Only the approvers of this request can ask a question.")
    with transaction.atomic():
        row = _lock_waiting(environment)
        earlier = row.questions.filter(answered_at=None).select_related("asked_by").first()
        if earlier:
            who = earlier.asked_by or "Someone"
            raise ValidationError(f"{who} has already asked a question. Wait for the answer.", code="open")
        asked = Question.objects.create(environment=row, asked_by=actor, text=text)
        Event.record(row, actor, Activity.QUESTION_ASKED, f"{actor} asked: {text}", {"question": text})
    return asked


def answer(environment: Environment, actor: User, text: str) -> Question:
    """Answer the open question about one's own request; whoever asked gets an email.

    Raises ValidationError without an answer (code `text`), if there is nothing to answer, and if someone decided or
    withdrew the request before (code `overtaken`). Raises PermissionDenied for anyone but the requester.
    """
    if environment.owner_id != actor.pk:
        raise PermissionDenied("Only the requester can answer a question.")
    with transaction.atomic():
        row = _lock_waiting(environment)
        text = _checked(text, "Enter your answer.")
        asked = row.questions.filter(answered_at=None).select_related("asked_by").first()
        if asked is None:
            raise ValidationError("There is no open question about this request.", code="none")
        asked.answer, asked.answered_at = text, timezone.now()
        asked.save(update_fields=["answer", "answered_at"])
        data = {"answer": text, "question": asked.text, "person": asked.asked_by.email if asked.asked_by else ""}
        Event.record(row, actor, Activity.QUESTION_ANSWERED, f"{actor} answered: {text}", data)
    return asked


def _may_decide(environment: Environment, actor: User) -> bool:
    return Environment.objects.decidable_by(actor).filter(pk=environment.pk).exists()


def _lock_waiting(environment: Environment) -> Environment:
    """The request, locked until the transaction ends. Raises ValidationError if it no longer waits."""
    row = Environment.objects.select_for_update(no_key=True).get(pk=environment.pk)
    if not row.awaits_approval:
        raise ValidationError(approvals.why_not(row), code=approvals.OVERTAKEN)
    return row


def _checked(text: str, missing: str) -> str:
    text = text.strip()
    if not text:
        raise ValidationError(missing, code="text")
    if len(text) > MAX_TEXT:
        raise ValidationError(f"Use at most {MAX_TEXT} characters; you entered {len(text)}.", code="text")
    return text
