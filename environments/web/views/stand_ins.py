"""The signed-in manager's stand-in, on the page of their settings."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from environments.actions import stand_ins
from environments.web.decision_forms import StandInForm
from environments.web.forms import add_refusal
from environments.web.views.emails import settings_context
from environments.web.views.http import UserRequest


@require_POST
def stand_in(request: UserRequest) -> HttpResponse:
    """Name a stand-in until a day, or end the current one (if `end` is sent). Managers only, each their own."""
    if not request.user.is_manager:
        raise PermissionDenied("Only managers can name a stand-in.")
    if "end" in request.POST:
        return _end(request)
    form = StandInForm(request.user, request.POST)
    if form.is_valid():
        person, last_day = form.cleaned_data["person"], form.cleaned_data["last_day"]
        try:
            stand_ins.name(request.user, person, last_day, request.user)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            text = f"{person} stands in for you until {last_day:%-d %B %Y}. We'll email them."
            messages.success(request, text)
            return redirect("emails")
    context = settings_context(request.user) | {"stand_in_form": form, "failed": form}
    return render(request, "portal/emails.html", context, status=422)


def _end(request: UserRequest) -> HttpResponse:
    try:
        row = stand_ins.end(request.user, request.user)
    except ValidationError as refusal:
        messages.warning(request, " ".join(refusal.messages))
    else:
        messages.success(request, f"{row.person} no longer stands in for you.")
    return redirect("emails")
