"""Approvals: the pending requests, and the decision."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from environments.actions import approvals
from environments.models import Environment
from environments.web import pages
from environments.web.forms import DecisionForm
from environments.web.permissions import decidable_environment
from environments.web.views.http import UserRequest

PAGE_SIZE = 25
_VERBS = {"approve": (approvals.approve, "approved"), "reject": (approvals.reject, "rejected")}


@require_safe
def listing(request: UserRequest) -> HttpResponse:
    """The requests that wait for the reader's decision, oldest first, and recent decisions."""
    if not (request.user.is_manager or request.user.is_platform_admin):
        raise PermissionDenied("Only managers and platform admins can see approvals.")
    return _page(request)


@require_POST
def decide(request: UserRequest, namespace: str) -> HttpResponse:
    """Approve or reject a request. Errors are shown on the page that the decision was sent from."""
    row = decidable_environment(request.user, namespace)
    if request.POST.get("decision") not in _VERBS:
        raise SuspiciousOperation("A decision must be approve or reject.")
    verb, word = _VERBS[request.POST["decision"]]
    from_its_page = request.POST.get("page") == "environment"
    form = DecisionForm(row, request.POST)
    if form.is_valid():
        try:
            verb(row, request.user, form.cleaned_data["note"])
        except ValidationError as error:
            if error.code == approvals.OVERTAKEN:
                messages.warning(request, error.message)
                return redirect(*_back(row, from_its_page))
            form.add_error("note" if error.code == "note" else None, error)
        else:
            messages.success(request, f"{row.name} {word}. We'll email {row.owner}.")
            return redirect(*_back(row, from_its_page))
    if not row.awaits_approval:  # there is no longer a field at which to show the error
        messages.warning(request, approvals.why_not(row))
        return redirect(*_back(row, from_its_page))
    if not from_its_page:
        return _page(request, form)
    context = {"page": pages.environment_page(row, request.user), "environment": row, "form": form}
    return render(request, "environments/environment.html", context, status=422)


def _back(row: Environment, to_its_page: bool) -> tuple[str, ...]:
    return ("environment", row.namespace) if to_its_page else ("approvals",)


def _page(request: UserRequest, sent: DecisionForm | None = None) -> HttpResponse:
    """The list; `sent` is a submitted form with errors."""
    page = Paginator(pages.waiting(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    requests = [
        (each, sent if sent and sent.environment == each.environment else DecisionForm(each.environment))
        for each in pages.approval_requests(page)
    ]
    context = {"page": page, "requests": requests, "decided": pages.decided(request.user), "form": sent}
    return render(request, "environments/approvals.html", context, status=422 if sent else 200)
