"""What people choose about their emails."""

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import transaction

from environments.lib.activity import Activity
from environments.lib.emails import Timing, Topic
from environments.models import Letter, User


def topics_of(user: User) -> list[Topic]:
    """The topics that a person can get emails about."""
    approves = user.is_approver
    return [topic for topic in Topic if approves or not topic.for_approvers]


def choose(user: User, choices: Mapping[Topic, Timing]) -> None:
    """Store when a person wants emails about some topics; the others stay as they are.

    Emails about a topic that is now off are no longer sent, also if they were waiting for the next daily email.
    Raises ValidationError by topic for a timing that the topic does not allow.
    """
    wrong = {topic.value: "This cannot be turned off." for topic, at in choices.items() if at not in topic.timings}
    if wrong:
        raise ValidationError(wrong)
    with transaction.atomic():
        row = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        row.email_choices = row.email_choices | {topic.value: timing.value for topic, timing in choices.items()}
        row.save(update_fields=["email_choices"])
        off = [topic for topic, timing in choices.items() if timing is Timing.OFF]
        kinds = [kind for kind in Activity if kind.mail and kind.mail.topic in off]
        Letter.objects.filter(address=row.email, event__kind__in=kinds, sent_at=None).delete()
    user.email_choices = row.email_choices
