"""Requests for access to an environment: asking, and the owner's answer with one click."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from environments.actions import access_requests
from environments.models import Environment, User
from environments.web.permissions import changeable_environment, visible_environment
from environments.web.views.http import UserRequest


@require_POST
def request_access(request: UserRequest, namespace: str) -> HttpResponse:
    """Ask the owner for access."""
    row = visible_environment(request.user, namespace)
    return _answer(request, row, lambda: _ask(row, request.user))


@require_POST
def grant(request: UserRequest, namespace: str) -> HttpResponse:
    """Give the person who asked access."""
    row = changeable_environment(request.user, namespace)
    return _answer(request, row, lambda: _grant(row, request.user, _person(request, row)))


@require_POST
def decline(request: UserRequest, namespace: str) -> HttpResponse:
    """Close the request without access."""
    row = changeable_environment(request.user, namespace)
    return _answer(request, row, lambda: _decline(row, request.user, _person(request, row)))


def _answer(request: UserRequest, row: Environment, act: Callable[[], str]) -> HttpResponse:
    """Back to the page, with what happened or why it did not."""
    try:
        messages.success(request, act())
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("environment", namespace=row.namespace)


def _ask(row: Environment, user: User) -> str:
    access_requests.ask(row, user)
    return f"Access requested. We'll email {row.owner}."


def _grant(row: Environment, actor: User, person: User) -> str:
    role = access_requests.grant(row, actor, person)
    return f"{person} has the role {role.label.lower()} within seconds."


def _decline(row: Environment, actor: User, person: User) -> str:
    access_requests.decline(row, actor, person)
    return f"Request declined. We'll email {person}."


def _person(request: UserRequest, row: Environment) -> User:
    """Who asked. Raises ValidationError if another tab answered already, or the form named somebody else."""
    sent = request.POST.get("person", "")
    people = (asked.person for asked in row.access_requests.select_related("person"))
    found = next((person for person in people if str(person.pk) == sent), None)
    if found is None:
        raise ValidationError("This request for access has been answered already.")
    return found
