"""An environment's network: what gets through, what was opened for it, and asking for more."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from environments.actions import deciders, openings
from environments.web import pages
from environments.web.change_forms import OpeningForm
from environments.web.forms import add_refusal
from environments.web.permissions import changeable_environment, may_edit, visible_environment
from environments.web.views.http import UserRequest, sent


@require_http_methods(["GET", "HEAD", "POST"])
def network(request: UserRequest, namespace: str) -> HttpResponse:
    """What gets through; its owner opens more, at once or after an approval."""
    row = visible_environment(request.user, namespace)
    can_edit = may_edit(request.user, row)
    if request.method == "POST":
        if not can_edit:
            raise PermissionDenied("Only the owner and platform admins can change this environment.")
        row = changeable_environment(request.user, namespace)
    form = OpeningForm(row, sent(request))
    if form.is_valid():
        chosen, reason = form.cleaned_data["opening"], form.cleaned_data["reason"]
        try:
            change = openings.ask_to_open(row, chosen, request.user, reason=reason)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            waits = f"{chosen} requested. It waits for approval: {deciders.of_change(change)}."
            messages.success(request, waits if change.is_open else f"{chosen} is being opened.")
            return redirect("network", namespace=namespace)
    context = {"environment": row, "page": pages.network_page(row), "may_edit": can_edit and row.wanted, "form": form}
    return render(request, "environments/network.html", context, status=422 if form.errors else 200)


@require_POST
def close(request: UserRequest, namespace: str) -> HttpResponse:
    """Close an opening again."""
    row = changeable_environment(request.user, namespace)
    try:
        openings.close(row, request.POST.get("opening", ""), request.user)
    except ValidationError as refusal:
        messages.warning(request, " ".join(refusal.messages))
    else:
        messages.success(request, "The opening is being closed.")
    return redirect("network", namespace=namespace)
