"""Whether somebody wants the monthly summary of their teams by e-mail."""

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
    """Switch it on (`wanted` is sent) or off. For managers and platform admins, as the reports are."""
    if not (request.user.is_manager or request.user.is_platform_admin):
        raise PermissionDenied("Reports are for managers and platform admins.")
    wanted = "wanted" in request.POST
    summaries.choose(request.user, wanted)
    messages.success(request, _promise(request) if wanted else "No more monthly summaries for you.")
    filters = f"?{request.GET.urlencode()}" if request.GET else ""
    return redirect(f"{reverse('reports')}{filters}")


def _promise(request: UserRequest) -> str:
    """To whom and when; nobody who manages no team is told a day."""
    if request.user.is_platform_admin or request.user.managed_teams.exists():
        day = f"{summaries.next_day(timezone.now()):%-d %B %Y}"
        return f"The monthly summary goes to {request.user.email}, next on {day}."
    return f"The monthly summary goes to {request.user.email} once you manage a team."
