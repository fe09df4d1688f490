"""The answer to the question whether an environment is still needed."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from environments.actions import reviews
from environments.web.permissions import changeable_environment
from environments.web.views.http import UserRequest


@require_POST
def keep(request: UserRequest, namespace: str) -> HttpResponse:
    """Say that it is still needed. Smaller and delete are pages of their own."""
    row = changeable_environment(request.user, namespace)
    try:
        reviews.keep(row, request.user)
    except ValidationError as refusal:
        messages.warning(request, " ".join(refusal.messages))
    else:
        messages.success(request, f"Thank you. {row.name} is kept.")
    back = "home" if request.POST.get("page") == "home" else ""
    return redirect(back) if back else redirect("environment", namespace=namespace)
