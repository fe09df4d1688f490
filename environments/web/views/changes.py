"""Changes to an environment that is there: its owner asks, an approver decides where somebody has to."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from environments.actions import changes, deciders, ends, resizing
from environments.models import Change, Environment
from environments.web import pages
from environments.web.change_forms import EndForm, ResizeForm
from environments.web.decision_forms import ChangeDecisionForm, RejectForm
from environments.web.forms import add_refusal
from environments.web.permissions import changeable_environment, decidable_change, open_change
from environments.web.views.http import UserRequest, sent

_UNREADABLE = "The template of this environment can't be read, so it has no sizes to choose from."


@require_http_methods(["GET", "HEAD", "POST"])
def size(request: UserRequest, namespace: str) -> HttpResponse:
    """Choose another size or change answers; at once, or after an approval."""
    row = changeable_environment(request.user, namespace)
    if row.readable_spec is None or not row.is_granted:
        messages.warning(request, _UNREADABLE if row.is_granted else "This request is waiting for approval.")
        return redirect("environment", namespace=namespace)
    asked = request.method == "POST" and "preview" not in request.POST
    form = ResizeForm(row, request.user, sent(request), chosen=request.GET.get("size", ""))
    if form.is_valid() and asked:
        try:
            change = resizing.resize(
                row,
                request.user,
                form.size(),
                form.answers(),
                reason=form.cleaned_data["reason"],
                below_use=form.cleaned_data["below_use"],
            )
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            _say(request, change)
            return redirect("environment", namespace=namespace)
    return render(request, "environments/resize.html", _plan(row, form), status=422 if asked else 200)


@require_POST
def size_preview(request: UserRequest, namespace: str) -> HttpResponse:
    """The page's aside, for the form as it is filled in now. Changes nothing."""
    row = changeable_environment(request.user, namespace)
    form = ResizeForm(row, request.user, request.POST) if row.readable_spec and row.is_granted else None
    if form is None:
        return redirect("environment", namespace=namespace)
    form.is_valid()
    return render(request, "environments/resize.html#preview", _plan(row, form))


def _plan(row: Environment, form: ResizeForm) -> dict[str, object]:
    planned = form.planned
    who = deciders.among(row.team, form.user, owner=row.owner) if planned and planned.needs_approval else ""
    return {"environment": row, "form": form, "planned": planned, "who": str(who), "price": pages.price_of(planned)}


@require_http_methods(["GET", "HEAD", "POST"])
def end(request: UserRequest, namespace: str) -> HttpResponse:
    """Ask the approvers for a later end than the owner can choose."""
    row = changeable_environment(request.user, namespace)
    if row.ends_at is None:
        messages.warning(request, f"{row.name} has no end date.")
        return redirect("environment", namespace=namespace)
    form = EndForm(row, sent(request))
    if form.is_valid():
        last_day, reason = form.cleaned_data["last_day"], form.cleaned_data["reason"]
        try:
            change = ends.ask_for_end(row, request.user, last_day, reason=reason)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            _say(request, change)
            return redirect("environment", namespace=namespace)
    return render(
        request, "environments/end.html", {"environment": row, "form": form}, status=422 if form.errors else 200
    )


@require_POST
def decide(request: UserRequest, namespace: str) -> HttpResponse:
    """Approve a change."""
    change = decidable_change(request.user, namespace, request.POST.get("change", ""))
    form = ChangeDecisionForm(change, request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(each) for each in form.errors["note"]))
        return redirect(*_back(request, change))
    try:
        changes.approve(change, request.user, form.cleaned_data["note"])
    except ValidationError as refusal:
        messages.warning(request, " ".join(refusal.messages))
    else:
        messages.success(request, f"Change of {change.environment} approved. We'll email {change.asked_by}.")
    return redirect(*_back(request, change))


@require_http_methods(["GET", "HEAD", "POST"])
def reject(request: UserRequest, namespace: str) -> HttpResponse:
    """Ask for the reason of a rejection, and reject a change."""
    answers = {**request.GET.dict(), **request.POST.dict()}
    change = decidable_change(request.user, namespace, answers.get("change", ""))
    if not change.is_open:
        messages.warning(request, changes.why_not(change))
        return redirect("environment", namespace=namespace)
    form = RejectForm(sent(request))
    if form.is_valid():
        try:
            changes.reject(change, request.user, form.cleaned_data["note"])
        except ValidationError as refusal:
            messages.warning(request, " ".join(refusal.messages))
        else:
            messages.success(request, f"Change of {change.environment} rejected. We'll email {change.asked_by}.")
        return redirect(*_back(request, change))
    asked = pages.change_requests([change])[0]
    context = {"environment": change.environment, "asked": asked, "form": form, "here": answers.get("page", "")}
    return render(request, "environments/reject_change.html", context, status=422 if form.errors else 200)


@require_POST
def withdraw(request: UserRequest, namespace: str) -> HttpResponse:
    """Take a change back."""
    row = changeable_environment(request.user, namespace)
    change = open_change(row, request.POST.get("change", ""))
    if change is None:
        messages.warning(request, "This change is no longer open. Reload the page to see what became of it.")
        return redirect("environment", namespace=namespace)
    try:
        changes.withdraw(change, request.user)
    except ValidationError as refusal:
        messages.warning(request, " ".join(refusal.messages))
    else:
        messages.success(request, f"Change of {row.name} withdrawn.")
    return redirect("environment", namespace=namespace)


def _say(request: UserRequest, change: Change) -> None:
    if change.is_open:
        who = deciders.of_change(change)
        messages.success(request, f"Change of {change.environment} requested. It waits for approval: {who}.")
    else:
        messages.success(request, f"{change.environment} is being changed.")


def _back(request: UserRequest, change: Change) -> tuple[str, ...]:
    here = (request.POST or request.GET).get("page")
    return ("approvals",) if here == "approvals" else ("environment", change.environment.namespace)
