"""One action on several environments: a page that shows what it does and refuses, then the results, one by one."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from environments.actions import bulk as actions
from environments.actions.bulk import Outcome, Verb
from environments.models import Environment
from environments.web.bulk_forms import FORMS, BulkForm, ConfirmForm
from environments.web.views.http import UserRequest

_DONE = {
    Verb.EXTEND: "extended",
    Verb.MOVE: "updated",
    Verb.HAND_OVER: "handed over",
    Verb.DELETE: "being deleted",
}


@require_http_methods(["GET", "HEAD", "POST"])
def bulk(request: UserRequest) -> HttpResponse:
    """Show what an action would do to the selected environments (`on`); do it when confirmed."""
    if not request.user.is_platform_admin:
        raise PermissionDenied("Only platform admins can change several environments at once.")
    asked = request.POST if request.method == "POST" else request.GET
    names = list(dict.fromkeys(asked.getlist("on")))
    if problem := _problem(asked.get("do", ""), names):
        messages.warning(request, problem)
        return redirect(_back(asked))
    verb = Verb(asked["do"])
    rows = _selected(request, names)
    is_sent = request.method == "POST"
    is_begun = verb == Verb.HAND_OVER and not is_sent and "address" not in asked  # nothing was typed yet
    form = FORMS[verb](None if is_begun else asked)
    context = _context(verb, asked, rows, form) | {"missing": len(names) - len(rows)}
    if not form.is_valid():
        return _answer(request, context, is_refused=form.is_bound)
    if is_sent and (verb != Verb.DELETE or ConfirmForm(len(rows), asked).is_valid()):
        shown = {row.namespace: asked.get(f"shown-{row.namespace}", "") for row in rows}
        context |= _results(actions.carry_out(rows, request.user, form.step(), shown), done=True)
        return _answer(request, context)
    context |= _results(actions.rehearse(rows, request.user, form.step()))
    if verb == Verb.DELETE:
        context["confirm"] = ConfirmForm(len(context["accepted"]), asked if is_sent else None)
    return _answer(request, context, is_refused=is_sent)


def _problem(verb: str, names: list[str]) -> str:
    """Why there is nothing to show; empty if there is."""
    if verb not in Verb.values:
        return "Choose an action."
    if not names:
        return "Select at least one environment."
    if len(names) > actions.MOST:
        return f"Select at most {actions.MOST} environments at once; you selected {len(names)}."
    return ""


def _selected(request: UserRequest, names: list[str]) -> list[Environment]:
    related = ("owner", "team", "version__template", "cluster", "directory")
    rows = Environment.objects.editable_by(request.user).filter(namespace__in=names).select_related(*related)
    return list(rows.order_by("name", "pk"))


def _context(verb: Verb, asked: QueryDict, rows: list[Environment], form: BulkForm) -> dict[str, Any]:
    back = asked.get("back", "")
    return {"verb": verb, "rows": rows, "form": form, "back": back, "back_url": _back(asked), "done_word": _DONE[verb]}


def _results(outcomes: list[Outcome], *, done: bool = False) -> dict[str, Any]:
    accepted = [each for each in outcomes if not each.is_refused]
    refused = [each for each in outcomes if each.is_refused]
    return {"accepted": accepted, "refused": refused, "is_rehearsed": True, "done": done}


def _back(asked: QueryDict) -> str:
    """The list as it was filtered."""
    filters = QueryDict(asked.get("back", "")).urlencode()
    return f"{reverse('environments')}?{filters}" if filters else reverse("environments")


def _answer(request: UserRequest, context: dict[str, Any], *, is_refused: bool = False) -> HttpResponse:
    return render(request, "environments/bulk.html", context, status=422 if is_refused else 200)
