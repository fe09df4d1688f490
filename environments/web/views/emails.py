"""The email settings of the signed-in person."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from environments.actions import emails as actions
from environments.lib.emails import ALWAYS
from environments.reports import summaries
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
    context = {"form": form, "always": ALWAYS, "hour": settings.DAILY_EMAIL_HOUR}
    return render(request, "portal/emails.html", context, status=422 if form.errors else 200)
