"""Questions about a request: an approver asks on a page of its own, the requester answers on the request's page."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from environments.actions import approvals, questions
from environments.models import Environment
from environments.web import pages
from environments.web.decision_forms import AnswerForm, QuestionForm
from environments.web.permissions import decidable_environment, visible_environment
from environments.web.views.http import UserRequest, sent


@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: UserRequest, namespace: str) -> HttpResponse:
    """Ask the requester a question without deciding."""
    row = decidable_environment(request.user, namespace)
    if not row.awaits_approval:
        return _too_late(request, row)
    form = QuestionForm(sent(request))
    if form.is_valid():
        try:
            questions.ask(row, request.user, form.cleaned_data["text"])
        except ValidationError as refusal:
            if refusal.code == approvals.OVERTAKEN:
                return _too_late(request, row)
            form.add_error("text" if refusal.code == "text" else None, refusal)
        else:
            messages.success(request, f"Question sent. We'll email {row.owner}; {row.name} keeps its place.")
            return redirect("environment", namespace=namespace)
    requested = pages.approval_requests([row], request.user)[0]
    context = {"environment": row, "requested": requested, "form": form}
    return render(request, "environments/question.html", context, status=422 if form.errors else 200)


@require_POST
def answer(request: UserRequest, namespace: str) -> HttpResponse:
    """Answer the open question about one's own request. Errors are shown on its page."""
    row = visible_environment(request.user, namespace)
    if row.owner != request.user:
        raise PermissionDenied("Only the requester can answer a question.")
    if not row.awaits_approval:
        return _too_late(request, row)
    form = AnswerForm(request.POST)
    if form.is_valid():
        try:
            asked = questions.answer(row, request.user, form.cleaned_data["text"])
        except ValidationError as refusal:
            messages.warning(request, " ".join(refusal.messages))
        else:
            messages.success(request, f"Answer sent. We'll email {asked.asked_by or 'the approvers'}.")
        return redirect("environment", namespace=namespace)
    page = pages.environment_page(row, request.user)
    if page.to_answer is None:
        messages.warning(request, "There is no open question about this request.")
        return redirect("environment", namespace=namespace)
    context = {"page": page, "environment": row, "form": form}
    return render(request, "environments/environment.html", context, status=422)


def _too_late(request: UserRequest, row: Environment) -> HttpResponse:
    """Back to the page, with what came before."""
    text = approvals.why_not(row) if row.requested_at else "This environment is not waiting for approval."
    messages.warning(request, text)
    return redirect("environment", namespace=row.namespace)
