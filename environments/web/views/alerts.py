"""The alert settings of an environment."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from environments.routine import alerts as levels
from environments.web.forms import AlertsForm
from environments.web.permissions import changeable_environment
from environments.web.views.http import UserRequest, sent


@require_http_methods(["GET", "HEAD", "POST"])
def alerts(request: UserRequest, namespace: str) -> HttpResponse:
    """Show the form; save it when it is submitted."""
    row = changeable_environment(request.user, namespace)
    form = AlertsForm(row, sent(request))
    if request.method == "POST" and form.is_valid():
        try:
            levels.configure(row, request.user, form.choice())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"Alerts for {row} saved: {form.choice()}.")
            return redirect("environment", namespace=namespace)
    context = {"environment": row, "form": form, "hysteresis": levels.HYSTERESIS, "hold": levels.hold_in_words()}
    return render(request, "environments/alerts.html", context, status=422 if form.errors else 200)
