"""Environments: the list, one of them, and what its owner can do with it."""

from datetime import datetime
from urllib.parse import urlencode

import yaml
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from environments import actions
from environments.actions import guards
from environments.actions.bulk import Verb
from environments.actions.details import change as change_details
from environments.actions.moving import ask_to_move
from environments.kube import manifests
from environments.lib import dates
from environments.models import Environment
from environments.models.environments import EnvironmentQuerySet
from environments.reconcile import desired
from environments.routine.folding import fold
from environments.web import pages
from environments.web.change_forms import ReasonForm
from environments.web.decision_forms import AnswerForm, DecisionForm
from environments.web.forms import DeleteForm, DetailsForm, FilterForm, WithdrawForm, add_refusal
from environments.web.pages import sorting
from environments.web.pages.activity import Show, chosen
from environments.web.pages.managed_objects import drift_of
from environments.web.permissions import changeable_environment, editable_environment, visible_environment
from environments.web.views.http import UserRequest, render_part, sent

_EVENTS = 50  # on a page of the history


@require_safe
def environments(request: UserRequest) -> HttpResponse:
    """The environments that the reader may see, newest first by default."""
    form = FilterForm(request.user, request.GET)
    rows = _filtered(Environment.objects.visible_to(request.user), form, request)
    page = pages.list_page(rows, request.GET.get("page"))
    query = urlencode({name: value for name, value in request.GET.items() if value and name != "page"})
    columns = sorting.columns(form.cleaned_data.get("sort", ""), request.GET)
    context = {"form": form, "page": page, "rows": pages.rows(page), "query": query, "columns": columns}
    context["is_filtered"] = any(value for name, value in request.GET.items() if name not in ("page", "sort"))
    context["verbs"] = Verb.choices if request.user.is_platform_admin else []
    response = render_part(request, "environments/list.html", "rows", context)
    # The address bar follows the live search, without the filters that are not in use.
    response["HX-Replace-Url"] = f"?{query}" if query else request.path
    return response


@require_safe
def environment(request: UserRequest, namespace: str) -> HttpResponse:
    """One environment: its dashboard, or its timeline while work is in progress."""
    row = visible_environment(request.user, namespace)
    page = pages.environment_page(row, request.user, Show.of(request.GET.get("activity", "")))
    context = {"page": page, "environment": row, "form": _form_in(page)}
    return render_part(request, "environments/environment.html", "live", context)


def _form_in(page: pages.EnvironmentPage) -> DecisionForm | AnswerForm | None:
    """The form that the page offers its reader, who approves the request or asked for it."""
    if page.to_decide:
        return DecisionForm(page.environment)
    return AnswerForm() if page.to_answer else None


@require_safe
def history(request: UserRequest, namespace: str) -> HttpResponse:
    """Everything that happened to an environment."""
    row = visible_environment(request.user, namespace)
    show = Show.of(request.GET.get("activity", ""))
    page = Paginator(chosen(row.events.select_related("actor"), show), _EVENTS).get_page(request.GET.get("page"))
    context = {"environment": row, "page": page, "lines": fold(page, runs=True), "show": show, "shows": Show.choices}
    return render(request, "environments/history.html", context)


@require_safe
def objects(request: UserRequest, namespace: str) -> HttpResponse:
    """The managed objects as YAML, and what the cluster has otherwise."""
    row = visible_environment(request.user, namespace)
    documents = manifests.all_manifests(desired.desired_with_bindings(row))
    text = yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True)
    context = {"environment": row, "manifests": text, **drift_of(row)}
    return render(request, "environments/objects.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def details(request: UserRequest, namespace: str) -> HttpResponse:
    """Change the environment's title, purpose and team."""
    row = changeable_environment(request.user, namespace)
    form = DetailsForm(row, sent(request))
    if request.method == "POST" and form.is_valid():
        try:
            change_details(row, request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, f"Details of {form.cleaned_data['name']} saved.")
            return redirect("environment", namespace=namespace)
    context = {"environment": row, "form": form}
    return render(request, "environments/details.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: UserRequest, namespace: str) -> HttpResponse:
    """Delete an environment after its name was typed; a request that waits for approval is withdrawn."""
    row = editable_environment(request.user, namespace)
    if request.method == "POST" and not row.wanted:
        raise guards.EndedError(row)
    if row.awaits_approval:
        return _withdraw(request, row)
    form = DeleteForm(sent(request))
    if request.method == "POST" and form.is_valid():
        try:
            actions.delete_environment(row, request.user, typed_name=form.cleaned_data["typed_name"])
        except ValidationError as error:
            form.add_error("typed_name", error)
        else:
            messages.success(request, f"The deletion of {row.name} was requested.")
            return redirect("environment", namespace=namespace)
    status = 422 if form.errors else 200
    return render(request, "environments/delete.html", {"environment": row, "form": form}, status=status)


def _withdraw(request: UserRequest, row: Environment) -> HttpResponse:
    form = WithdrawForm(sent(request))
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "environments/delete.html", {"environment": row, "form": form}, status=status)
    try:
        actions.withdraw_request(row, request.user, form.cleaned_data["note"])
    except ValidationError as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, f"The request for {row.name} was withdrawn.")
    return redirect("environment", namespace=row.namespace)


@require_POST
def extend(request: UserRequest, namespace: str) -> HttpResponse:
    """Extend the environment once more, to the end that the page offered."""
    row = changeable_environment(request.user, namespace)
    until = _time(request.POST.get("until", ""))
    if until is None:
        messages.error(request, "The form was incomplete. Reload the page and try again.")
        return redirect("environment", namespace=namespace)
    try:
        actions.extend_environment(row, request.user, until=until)
    except ValidationError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"Environment extended to {dates.day(until)}.")
    return redirect("environment", namespace=namespace)


@require_http_methods(["GET", "HEAD", "POST"])
def move(request: UserRequest, namespace: str) -> HttpResponse:
    """Show what the newer version changes; update the environment in place when confirmed."""
    row = changeable_environment(request.user, namespace)
    newer = pages.newer(row)
    if newer is None:
        messages.info(request, f"{row} already uses the newest version.")
        return redirect("environment", namespace=namespace)
    error, form = "", ReasonForm(sent(request))
    if request.method == "POST" and form.is_valid():
        # The version that the page showed: another one may have been published since.
        number = request.POST.get("version", "")
        shown = row.version.template.versions.filter(number=number).first() if number.isdecimal() else None
        try:
            if "approval" in request.POST:
                ask_to_move(row, shown or row.version, request.user, reason=form.cleaned_data["reason"])
                messages.success(request, f"The update of {row.name} waits for approval.")
            else:
                actions.move_environment(row, shown or row.version, request.user)
                messages.success(request, f"{row.name} was updated to version {newer.version.number}.")
            return redirect("environment", namespace=namespace)
        except ValidationError as refusal:
            error = " ".join(refusal.messages)
    needs = "" if request.user.is_platform_admin else newer.needs_approval
    context = {"environment": row, "newer": newer, "error": error, "form": form, "needs_approval": needs}
    return render(request, "environments/move.html", context, status=422 if error else 200)


@require_POST
def try_again(request: UserRequest, namespace: str) -> HttpResponse:
    """Check everything now."""
    row = editable_environment(request.user, namespace)
    actions.try_again(row, request.user)
    messages.success(request, "Checking everything now.")
    return redirect("environment", namespace=namespace)


def _time(text: str) -> datetime | None:
    """A time that a form sent back as it was given; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if timezone.is_aware(found) else None


def _filtered(rows: EnvironmentQuerySet, form: FilterForm, request: UserRequest) -> EnvironmentQuerySet:
    form.is_valid()  # unknown filters are ignored
    wanted = form.cleaned_data
    rows = rows.filter(phase=wanted["phase"]) if wanted.get("phase") else rows.live()
    if wanted.get("template"):
        rows = rows.filter(version__template=wanted["template"])
    if wanted.get("cluster"):
        rows = rows.filter(cluster=wanted["cluster"])
    if wanted.get("mine"):
        rows = rows.of(request.user)
    if wanted.get("outdated"):
        rows = rows.outdated()
    if wanted.get("orphaned"):
        rows = rows.filter(orphaned_at__isnull=False)
    if text := (wanted.get("q") or "").strip():
        rows = rows.filter(
            Q(name__icontains=text)
            | Q(namespace__icontains=text)
            | Q(owner__email__icontains=text)
            | Q(purpose__icontains=text)
        )
    return rows.order_by(*sorting.order(wanted.get("sort", "")))
