"""The members of an environment: add, remove, hand over."""

import re

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from environments.actions import access_tokens, group_members, guards, memberships, team_members
from environments.lib.phases import Role
from environments.models import Environment, Team
from environments.web import pages
from environments.web.forms import GroupForm, HandoverForm, MembersForm, TeamForm, add_refusal
from environments.web.permissions import changeable_environment, visible_environment
from environments.web.views.http import UserRequest, sent

_KEY = re.compile(r"[0-9]{1,18}")


@require_http_methods(["GET", "HEAD", "POST"])
def members(request: UserRequest, namespace: str) -> HttpResponse:
    """The members, and the form that adds people or changes their role."""
    row = changeable_environment(request.user, namespace)
    form = MembersForm(row, sent(request))
    if request.method == "POST" and form.is_valid():
        role = Role(form.cleaned_data["role"])
        try:
            memberships.add_members(row, request.user, form.cleaned_data["addresses"], role)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _gave(form.cleaned_data["addresses"], role))
            return redirect("members", namespace=namespace)
    return _page(request, row, form, HandoverForm(row))


@require_POST
def remove(request: UserRequest, namespace: str) -> HttpResponse:
    """Remove a member."""
    row = changeable_environment(request.user, namespace)
    address = request.POST.get("address", "")
    try:
        removed = memberships.remove_member(row, request.user, address)
    except ValidationError as error:
        messages.error(request, error.message)
    else:
        done = f"{address} was removed. You can undo this for {memberships.UNDO.seconds // 60} minutes."
        messages.success(request, done if removed else f"{address or 'This address'} is not a member.")
    return redirect("members", namespace=namespace)


@require_POST
def undo(request: UserRequest, namespace: str) -> HttpResponse:
    """Undo a removal, within a few minutes."""
    row = changeable_environment(request.user, namespace)
    number = request.POST.get("event", "")
    try:
        address = memberships.undo_removal(row, request.user, int(number) if number.isdecimal() else 0)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{address} is a member again, with the same role.")
    return redirect("members", namespace=namespace)


@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: UserRequest, namespace: str) -> HttpResponse:
    """Give up one's own access, once confirmed."""
    row = visible_environment(request.user, namespace)
    if access_tokens.membership(row, request.user) is None:
        raise PermissionDenied("Only members can leave an environment.")
    if not row.wanted:
        raise guards.EndedError(row)
    if request.method != "POST":
        return render(request, "environments/leave.html", {"environment": row})
    try:
        memberships.leave(row, request.user)
    except ValidationError as error:
        messages.error(request, error.message)
        return redirect("environment", namespace=namespace)
    messages.success(request, f"You left {row}. We'll email {row.owner}.")
    still_there = Environment.objects.visible_to(request.user).filter(pk=row.pk).exists()
    return redirect("environment", namespace=namespace) if still_there else redirect("environments")


@require_POST
def hand_over(request: UserRequest, namespace: str) -> HttpResponse:
    """Hand over ownership."""
    row = changeable_environment(request.user, namespace)
    form = HandoverForm(row, request.POST)
    if form.is_valid():
        try:
            memberships.hand_over(row, request.user, form.cleaned_data["address"], keep=form.kept())
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, f"{row.name} now belongs to {row.owner}.")
            return redirect("environment", namespace=namespace)
    return _page(request, row, MembersForm(row), form)


@require_POST
def add_group(request: UserRequest, namespace: str) -> HttpResponse:
    """Give a group of the directory a role."""
    row = changeable_environment(request.user, namespace)
    form = GroupForm(row, request.POST)
    if form.is_valid():
        role = Role(form.cleaned_data["role"])
        try:
            group = group_members.add_group(row, request.user, form.cleaned_data["group"], role)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, f"The group {group} now has the role {role.value}.")
            return redirect("members", namespace=namespace)
    return _page(request, row, MembersForm(row), HandoverForm(row), form)


@require_POST
def add_team(request: UserRequest, namespace: str) -> HttpResponse:
    """Give a team a role."""
    row = changeable_environment(request.user, namespace)
    form = TeamForm(row, request.user, request.POST)
    if form.is_valid():
        role = Role(form.cleaned_data["role"])
        try:
            team = team_members.add_team(row, request.user, form.cleaned_data["team"], role)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, f"The team {team} now has the role {role.value}.")
            return redirect("members", namespace=namespace)
    return _page(request, row, MembersForm(row), HandoverForm(row), team_form=form)


@require_POST
def remove_group(request: UserRequest, namespace: str) -> HttpResponse:
    """Remove a group or a team."""
    row = changeable_environment(request.user, namespace)
    number = request.POST.get("group", "")
    removed = team_members.remove_team(row, request.user, int(number) if _KEY.fullmatch(number) else 0)
    if removed:
        messages.success(request, f"The {removed.kind} {removed} was removed.")
    else:
        messages.success(request, "This group is not a member.")
    return redirect("members", namespace=namespace)


def _gave(addresses: list[str], role: Role) -> str:
    """What adding people did, as a sentence."""
    if len(addresses) == 1:
        return f"{addresses[0]} now has the role {role.value}."
    return f"{len(addresses)} people now have the role {role.value}."


def _page(
    request: UserRequest,
    row: Environment,
    form: MembersForm,
    handover: HandoverForm,
    group_form: GroupForm | None = None,
    team_form: TeamForm | None = None,
) -> HttpResponse:
    group_form, team_form = group_form or GroupForm(row), team_form or TeamForm(row, request.user)
    context = {
        "environment": row,
        "page": pages.environment_page(row, request.user),
        "form": form,
        "handover": handover,
        "group_form": group_form,
        "team_form": team_form,
        "has_teams": Team.objects.shareable_by(request.user).exists(),
        "no_groups": group_members.why_none(row.cluster),
        "own_groups": group_members.own_groups(request.user),
        "undoable": memberships.undoable(row),
    }
    status = 422 if any(each.errors for each in (form, handover, group_form, team_form)) else 200
    return render(request, "environments/members.html", context, status=status)
