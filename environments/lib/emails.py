"""What the portal emails people about, and when they can get it: the topics and timings of a person's email settings.

A stored value never changes: people's settings are kept for years, and two versions run side by side during a rollout.
"""

from typing import Self

from django.db.models import TextChoices


class Timing(TextChoices):
    """When emails about a topic are sent."""

    NOW = "now", "At once"
    DAILY = "daily", "Once a day"
    OFF = "off", "Off"


class Topic(TextChoices):
    """A topic of emails: stored value, explanation, whether it can be off, whether it is for approvers only, label."""

    explanation: str
    can_be_off: bool
    for_approvers: bool

    def __new__(cls, value: str, explanation: str, can_be_off: bool = True, for_approvers: bool = False) -> Self:
        """A member whose value is the stored text; Django has taken the label off the end already."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.explanation, member.can_be_off, member.for_approvers = explanation, can_be_off, for_approvers
        return member

    DECISIONS = (
        "decisions",
        "You can't turn these off: the requester waits for you. Reminders and escalations always come at once.",
        False,
        True,
        "Requests that wait for your decision",
    )
    REQUESTS = (
        "requests",
        "Your request was approved, rejected or withdrawn, or an approver has a question. Questions come at once.",
        "Your requests",
    )
    STATE = "state", "An environment is ready, or its setup or deletion failed.", "Ready or failed"
    ACCESS = "access", "You were added or removed, or ownership changed.", "Your access"
    ENDS = (
        "ends",
        "An environment that you own or use was deleted. If one that you use expires within a day, we email at once.",
        "Ending environments",
    )
    ALERTS = (
        "alerts",
        "A quota is nearly full. At most one email a day for each resource, unless it gets worse.",
        "Quota alerts",
    )
    CARE = (
        "care",
        "An environment lost its owner, or a cluster loosens its limits.",
        True,
        True,
        "Environments that need care",
    )

    @property
    def timings(self) -> list[Timing]:
        """The timings to choose from."""
        return [timing for timing in Timing if self.can_be_off or timing is not Timing.OFF]

    def timing(self, choices: dict[str, str]) -> Timing:
        """The timing in a person's stored choices; at once unless they chose another one that the topic allows."""
        chosen = choices.get(self.value)
        return next((timing for timing in self.timings if timing == chosen), Timing.NOW)


#: Emails that cannot be turned off or postponed, each with the reason.
ALWAYS = (
    ("Your environment expires soon", "Everything in it will be deleted, and after that it is too late to extend it."),
    ("Your account", "Invitations, password resets and changes of second factors protect your account."),
)
