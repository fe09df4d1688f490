"""Forms of local accounts."""

from typing import Any

from allauth.account import forms as allauth_forms
from django.http import HttpRequest

from environments.lib import queue
from environments.models import User
from portal import tasks

_RULES = (
    "At least 12 characters. Not only digits, not a common password, and not similar to your name or email address."
)


class _NewPassword:
    """Shows the password rules as a sentence; allauth's list would put markup inside a hint."""

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = _RULES
        self.fields["password1"].label, self.fields["password2"].label = "New password", "Repeat new password"
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)


class ChangePasswordForm(_NewPassword, allauth_forms.ChangePasswordForm):
    """Change a password by entering the old one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].label, self.fields["oldpassword"].help_text = "Current password", ""


class ChosenPasswordForm(_NewPassword, allauth_forms.ResetPasswordKeyForm):
    """Choose a password after following a link from an email."""


class ResetPasswordForm(allauth_forms.ResetPasswordForm):
    """Request a reset link by email. The answer never reveals whether there is an account."""

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Leave sending to a worker: the time it takes would reveal whether there is an account."""
        user = User.objects.with_address(self.cleaned_data["email"]).local().first()
        queue.send(tasks.send_password_reset.name, user.pk if user else 0)
        return str(self.cleaned_data["email"])
