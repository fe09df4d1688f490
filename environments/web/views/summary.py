"""Subscribe to the monthly summary by email, or unsubscribe."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from environments.lib import dates
from environments.reports import summaries
from environments.web.views.http import UserRequest


@require_POST
def switch(request: UserRequest) -> HttpResponse:
    """Switch it on (`wanted` is sent) or off. For managers and platform admins, as the reports are."""
    if not (request.user.is_manager or request.user.is_platform_admin):
        raise PermissionDenied("Only managers and platform admins can see reports.")
    wanted = "wanted" in request.POST
    summaries.choose(request.user, wanted)
    messages.success(request, _promise(request) if wanted else "Monthly summary turned off.")
    filters = f"?{request.GET.urlencode()}" if request.GET else ""
    return redirect(f"{reverse('reports')}{filters}")


def _promise(request: UserRequest) -> str:
    """To which address and when; without a day for someone who manages no team."""
    if request.user.is_platform_admin or request.user.managed_teams.exists():
        day = dates.day(summaries.next_day(timezone.now()))
        return f"Monthly summary turned on. We'll send the next one to {request.user.email} on {day}."
    return f"Monthly summary turned on. We'll send it to {request.user.email} once you manage a team."
