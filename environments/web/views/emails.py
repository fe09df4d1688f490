"""The email settings of the signed-in person."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from environments.actions import emails as actions
from environments.actions import stand_ins
from environments.lib.emails import ALWAYS
from environments.models import User
from environments.reports import summaries
from environments.web.decision_forms import StandInForm
from environments.web.email_forms import EmailsForm
from environments.web.views.http import UserRequest, sent


@require_http_methods(["GET", "HEAD", "POST"])
def emails(request: UserRequest) -> HttpResponse:
    """Show the form; save it when it is submitted. Everyone changes only their own settings."""
    form = EmailsForm(request.user, sent(request))
    if request.method == "POST" and form.is_valid():
        actions.choose(request.user, form.choices())
        if "summary" in form.fields:
            summaries.choose(request.user, form.cleaned_data["summary"])
        messages.success(request, "Email settings saved.")
        return redirect("emails")
    context = settings_context(request.user) | {"form": form, "failed": form}
    return render(request, "portal/emails.html", context, status=422 if form.errors else 200)


def settings_context(user: User) -> dict[str, Any]:
    """What the page of a person's settings shows, with forms that were not sent."""
    manages = user.is_manager and user.managed_teams.exists()
    return {
        "form": EmailsForm(user),
        "always": ALWAYS,
        "hour": settings.DAILY_EMAIL_HOUR,
        "stand_in": stand_ins.current(user) if manages else None,
        "stand_in_form": StandInForm(user) if manages else None,
        "failed": None,
    }
