"""Forms of local accounts."""

from typing import Any

from allauth.account import forms as allauth_forms
from django.http import HttpRequest

from environments.models import User
from portal import tasks

_RULES = (
    "At least 12 characters. Not only digits, not a common password, and not similar to your name or email address."
)


class _NewPassword:
    """Says the rules in a sentence; allauth's list would be markup inside a hint."""

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = _RULES
        self.fields["password1"].label, self.fields["password2"].label = "New password", "Repeat new password"
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)


class ChangePasswordForm(_NewPassword, allauth_forms.ChangePasswordForm):
    """A new password, for somebody who knows the old one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].label, self.fields["oldpassword"].help_text = "Current password", ""


class ChosenPasswordForm(_NewPassword, allauth_forms.ResetPasswordKeyForm):
    """A password, for somebody with a link from an e-mail."""


class ResetPasswordForm(allauth_forms.ResetPasswordForm):
    """Asks for a link by e-mail. Nothing that can be seen from outside depends on whether there is an account."""

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Leave it to a worker: sending takes longer than not sending, and that would tell."""
        user = User.objects.filter(email=User.objects.normalize_email(self.cleaned_data["email"])).first()
        tasks.enqueue(tasks.send_password_reset, user.pk if user else 0)
        return str(self.cleaned_data["email"])
