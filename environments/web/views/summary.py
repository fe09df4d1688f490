"""Subscribe to the monthly summary, or unsubscribe."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from environments.reports import summaries
from environments.web.views.http import UserRequest


@require_POST
def switch(request: UserRequest) -> HttpResponse:
    """Subscribe the user (if `wanted` is sent) or unsubscribe them. For managers and platform admins, like reports."""
    if not (request.user.is_manager or request.user.is_platform_admin):
        raise PermissionDenied("Only managers and platform admins can see reports.")
    wanted = "wanted" in request.POST
    summaries.choose(request.user, wanted)
    messages.success(request, _promise(request) if wanted else "Unsubscribed from the monthly summary.")
    filters = f"?{request.GET.urlencode()}" if request.GET else ""
    return redirect(f"{reverse('reports')}{filters}")


def _promise(request: UserRequest) -> str:
    """Return to whom and when the next summary is sent. There is no date for a manager without a team."""
    if request.user.is_platform_admin or request.user.managed_teams.exists():
        day = f"{summaries.next_day(timezone.now()):%-d %B %Y}"
        return f"Subscribed. The next monthly summary goes to {request.user.email} on {day}."
    return f"Subscribed. Monthly summaries go to {request.user.email} as soon as you manage a team."
