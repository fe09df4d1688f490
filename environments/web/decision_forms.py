"""The forms of a decision: approve, reject, ask, answer, several at once, and naming a stand-in."""

from typing import Any

from django import forms

from environments.actions import approvals, stand_ins
from environments.lib.row_fields import RowField
from environments.models import Change, Environment, User
from environments.models.questions import MAX_TEXT
from environments.models.stand_ins import today

_TWO_LINES = {"rows": 2}
_FOUR_LINES = {"rows": 4}
MOST_AT_ONCE = 25


class DecisionForm(forms.Form):
    """The note to the requester that can go with an approval."""

    note = forms.CharField(
        label="Note to the requester",
        required=False,
        max_length=approvals.MAX_NOTE,
        widget=forms.Textarea(attrs=_TWO_LINES),
        help_text="Sent with the approval.",
    )

    def __init__(self, environment: Environment, data: Any = None) -> None:
        super().__init__(data, auto_id=f"id_{environment.namespace}_%s")  # there may be many on a page
        self.environment = environment


class ChangeDecisionForm(forms.Form):
    """The note that can go with the approval of a change."""

    note = forms.CharField(
        label="Note",
        required=False,
        max_length=approvals.MAX_NOTE,
        widget=forms.Textarea(attrs=_TWO_LINES),
        help_text="Sent with the approval.",
    )

    def __init__(self, change: Change, data: Any = None) -> None:
        super().__init__(data, auto_id=f"id_change_{change.pk}_%s")  # there may be many on a page


class RejectForm(forms.Form):
    """Why a request is rejected."""

    note = forms.CharField(
        label="Reason",
        max_length=approvals.MAX_NOTE,
        widget=forms.Textarea(attrs=_FOUR_LINES),
        help_text="Sent to the requester, and kept in the history.",
        error_messages={"required": "Tell the requester why."},
    )


class QuestionForm(forms.Form):
    """A question to the requester."""

    text = forms.CharField(
        label="Question",
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs=_FOUR_LINES),
        help_text="Sent to the requester, and kept in the history.",
        error_messages={"required": "Enter your question."},
    )


class AnswerForm(forms.Form):
    """The requester's answer."""

    text = forms.CharField(
        label="Answer",
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs=_TWO_LINES),
        help_text="Sent to the approver who asked, and kept in the history.",
        error_messages={"required": "Enter your answer."},
    )


class SeveralForm(forms.Form):
    """One decision on several requests, with the note that goes to each requester."""

    note = forms.CharField(
        max_length=approvals.MAX_NOTE,
        widget=forms.Textarea(attrs=_FOUR_LINES),
        error_messages={"required": "Tell the requesters why."},
    )

    def __init__(self, data: Any = None, *, approve: bool) -> None:
        super().__init__(data)
        note = self.fields["note"]
        note.required = not approve
        note.label = "Note to the requesters" if approve else "Reason"
        note.help_text = f"The same for each requester. Sent with the {'approval' if approve else 'rejection'}."


class StandInForm(forms.Form):
    """Who decides for a manager, and until when."""

    person = RowField(
        label="Stand-in",
        queryset=User.objects.none(),
        empty_label="Choose a person",
        help_text="A member or manager of your teams, or a platform admin: they decide on the requests they can see.",
        error_messages={
            "required": "Choose a person.",
            "invalid_choice": "Choose a member or manager of your teams, or a platform admin.",
        },
    )
    last_day = forms.DateField(
        label="Until the end of",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=f"UTC, at most {stand_ins.LONGEST.days} days from today.",
        error_messages={"required": "Choose the last day.", "invalid": "Enter a day, for example 2027-01-31."},
    )

    def __init__(self, absent: User, data: Any = None) -> None:
        super().__init__(data)
        self.fields["person"].queryset = stand_ins.candidates(absent)  # type: ignore[attr-defined]
        days = {"min": today().isoformat(), "max": (today() + stand_ins.LONGEST).isoformat()}
        self.fields["last_day"].widget.attrs.update(days)
