"""The form of a person's email settings."""

from typing import Any

from django import forms

from environments.actions import emails
from environments.lib.emails import Timing, Topic
from environments.models import User


class EmailsForm(forms.Form):
    """When the person wants which emails. Approvers can subscribe to the monthly summary, too."""

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data)
        self.topics = emails.topics_of(user)
        for topic in self.topics:
            self.fields[topic.value] = forms.ChoiceField(
                label=topic.label,
                choices=[(timing.value, timing.label) for timing in topic.timings],
                help_text=topic.explanation,
                initial=topic.timing(user.email_choices).value,
            )
        if user.is_manager or user.is_platform_admin:
            self.fields["summary"] = forms.BooleanField(
                label="Monthly summary",
                required=False,
                initial=user.wants_summary,
                help_text="On the first of each month: usage, cost, idle environments, and what needs attention.",
            )

    def topic_fields(self) -> list[forms.BoundField]:
        """The fields of the topics, in their order."""
        return [self[topic.value] for topic in self.topics]

    def choices(self) -> dict[Topic, Timing]:
        """The checked form as the action's input."""
        return {topic: Timing(self.cleaned_data[topic.value]) for topic in self.topics}
