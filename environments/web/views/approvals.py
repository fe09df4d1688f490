"""Approvals: the pending requests, and the decision on one or several."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from environments.actions import approvals
from environments.actions.approvals import Outcome
from environments.models import Environment
from environments.web import pages
from environments.web.decision_forms import MOST_AT_ONCE, DecisionForm, RejectForm, SeveralForm
from environments.web.permissions import decidable_environment
from environments.web.views.http import UserRequest, sent

PAGE_SIZE = MOST_AT_ONCE
_DECISIONS = ("approve", "reject")


@require_safe
def listing(request: UserRequest) -> HttpResponse:
    """The requests that wait for the reader's decision, oldest first, and recent decisions."""
    _check_approver(request)
    return _page(request)


@require_POST
def decide(request: UserRequest, namespace: str) -> HttpResponse:
    """Approve a request. Errors are shown on the page that the decision was sent from.

    A rejection that a page of the version before sends goes the way of `reject`.
    """
    row = decidable_environment(request.user, namespace)
    if request.POST.get("decision") not in _DECISIONS:
        raise SuspiciousOperation("A decision must be approve or reject.")
    if request.POST["decision"] == "reject":
        return _reject(request, row)
    from_its_page = request.POST.get("page") == "environment"
    form = DecisionForm(row, request.POST)
    if form.is_valid():
        try:
            approvals.approve(row, request.user, form.cleaned_data["note"])
        except ValidationError as error:
            if error.code == approvals.OVERTAKEN:
                messages.warning(request, error.message)
                return redirect(*_back(row, from_its_page))
            form.add_error("note" if error.code == "note" else None, error)
        else:
            messages.success(request, f"{row.name} approved. We'll email {row.owner}.")
            return redirect(*_back(row, from_its_page))
    if not row.awaits_approval:  # there is no longer a field at which to show the error
        messages.warning(request, approvals.why_not(row))
        return redirect(*_back(row, from_its_page))
    if not from_its_page:
        return _page(request, form)
    context = {"page": pages.environment_page(row, request.user), "environment": row, "form": form}
    return render(request, "environments/environment.html", context, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
def reject(request: UserRequest, namespace: str) -> HttpResponse:
    """Ask for the reason of a rejection, and reject."""
    return _reject(request, decidable_environment(request.user, namespace))


def _reject(request: UserRequest, row: Environment) -> HttpResponse:
    if not row.awaits_approval:
        messages.warning(request, approvals.why_not(row))
        return redirect("environment", namespace=row.namespace)
    from_its_page = (request.POST or request.GET).get("page") == "environment"
    form = RejectForm(sent(request))
    if form.is_valid():
        try:
            approvals.reject(row, request.user, form.cleaned_data["note"])
        except ValidationError as error:
            messages.warning(request, " ".join(error.messages))
            return redirect("environment", namespace=row.namespace)
        messages.success(request, f"{row.name} rejected. We'll email {row.owner}.")
        return redirect(*_back(row, from_its_page))
    requested = pages.approval_requests([row], request.user)[0]
    context = {"environment": row, "requested": requested, "form": form, "from_its_page": from_its_page}
    return render(request, "environments/reject.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def several(request: UserRequest) -> HttpResponse:
    """Show what a decision on several requests will do and what will be refused, and carry it out."""
    _check_approver(request)
    answers = request.POST if request.method == "POST" else request.GET
    decision = answers.get("decision", "approve")
    rows, missing = _chosen(request, answers)
    if not rows or decision not in _DECISIONS:
        messages.warning(request, "Choose at least one request that is waiting for your decision.")
        return redirect("approvals")
    form = SeveralForm(sent(request), approve=decision == "approve")
    if form.is_valid():
        outcomes = approvals.decide_several(rows, _verb(request, decision, form.cleaned_data["note"]))
        _say(request, decision, outcomes)
        return redirect("approvals")
    context = _preview(request, rows, decision) | {"form": form, "missing": missing}
    return render(request, "environments/several.html", context, status=422 if form.errors else 200)


def _verb(request: UserRequest, decision: str, note: str) -> Callable[[Environment], None]:
    verb = approvals.approve if decision == "approve" else approvals.reject
    return lambda row: verb(row, request.user, note)


def _chosen(request: UserRequest, answers: QueryDict) -> tuple[list[Environment], int]:
    """The chosen requests that the reader decides on, also those decided since; and how many others were chosen."""
    names = list(dict.fromkeys(answers.getlist("request")))[:MOST_AT_ONCE]
    rows = list(pages.decidable(request.user).filter(namespace__in=names))
    return rows, len(names) - len(rows)


def _preview(request: UserRequest, rows: list[Environment], decision: str) -> dict[str, object]:
    outcomes = [approvals.would(row, request.user, approve=decision == "approve") for row in rows]
    possible = [each.environment for each in outcomes if not each.refusal]
    return {
        "decision": decision,
        "requests": pages.approval_requests(possible, request.user),
        "refused": [each for each in outcomes if each.refusal],
        "totals": pages.totals_after(possible) if decision == "approve" else [],
    }


def _say(request: UserRequest, decision: str, outcomes: list[Outcome]) -> None:
    """One message on what was decided, and one for each refusal."""
    done = [each.environment for each in outcomes if not each.refusal]
    word = "approved" if decision == "approve" else "rejected"
    if done:
        names = ", ".join(row.name for row in done)
        who = "the requester" if len({row.owner_id for row in done}) == 1 else "each requester"
        count = f"{len(done)} request{'' if len(done) == 1 else 's'}"
        messages.success(request, f"{count} {word}: {names}. We'll email {who}.")
    for each in outcomes:
        if each.refusal:
            messages.warning(request, f"{each.environment.name} was not {word}. {each.refusal}")


def _check_approver(request: UserRequest) -> None:
    if not request.user.is_approver:
        raise PermissionDenied("Only managers, their stand-ins and platform admins can see approvals.")


def _back(row: Environment, to_its_page: bool) -> tuple[str, ...]:
    return ("environment", row.namespace) if to_its_page else ("approvals",)


def _page(request: UserRequest, sent: DecisionForm | None = None) -> HttpResponse:
    """The list; `sent` is a submitted form with errors."""
    page = Paginator(pages.waiting(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    requests = [
        (each, sent if sent and sent.environment == each.environment else DecisionForm(each.environment))
        for each in pages.approval_requests(page, request.user)
    ]
    changes = pages.change_requests(list(pages.waiting_changes(request.user)[:PAGE_SIZE]))
    context = {
        "changes": changes,
        "page": page,
        "requests": requests,
        "decided_changes": pages.decided_changes(request.user),
        "decided": pages.decided(request.user),
        "form": sent,
    }
    return render(request, "environments/approvals.html", context, status=422 if sent else 200)
