"""Access to environments and templates for pages: 404 for strangers, 403 for readers who try to change something."""

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from environments.actions import guards
from environments.models import Change, Environment, Template, TemplateVersion, User

_LONG = 18  # digits: no row's number has as many


def visible_environment(user: "User | AnonymousUser", namespace: str) -> Environment:
    """The environment, if this person may see it. Raises Http404."""
    related = ("owner", "team", "version__template", "cluster", "directory")
    found = Environment.objects.visible_to(user).select_related(*related).filter(namespace=namespace)
    environment = next(iter(found.order_by()), None)  # namespaces are unique
    if environment is None:
        raise Http404("There is no such environment, or you have no access to it.")
    return environment


def editable_environment(user: "User | AnonymousUser", namespace: str) -> Environment:
    """The environment, if this person may change it. Raises Http404 for strangers, PermissionDenied for readers."""
    environment = visible_environment(user, namespace)
    if not may_edit(user, environment):
        raise PermissionDenied("Only the owner and platform admins can change this environment.")
    return environment


def changeable_environment(user: "User | AnonymousUser", namespace: str) -> Environment:
    """`editable_environment`, unless it ended. Raises EndedError, which views/ended.py turns into a message."""
    environment = editable_environment(user, namespace)
    if not environment.wanted:
        raise guards.EndedError(environment)
    return environment


def decidable_environment(user: "User | AnonymousUser", namespace: str) -> Environment:
    """The request, if this person may decide on it or could have. Raises Http404, PermissionDenied."""
    environment = visible_environment(user, namespace)
    if not Environment.objects.decidable_by(user).filter(pk=environment.pk).exists():
        raise PermissionDenied(
            "Only managers of the team, their stand-ins and platform admins can decide on this request."
        )
    return environment


def may_decide(user: "User | AnonymousUser", environment: Environment) -> bool:
    """Whether a user may decide on an environment now. No query if there is nothing to decide."""
    mine = Environment.objects.decidable_by(user)
    return environment.awaits_approval and mine.filter(pk=environment.pk).exists()


def decidable_change(user: "User | AnonymousUser", namespace: str, number: str) -> Change:
    """A change of an environment, if this person may decide on it or could have. Raises Http404, PermissionDenied."""
    environment = visible_environment(user, namespace)
    mine = Change.objects.decidable_by(user).filter(environment=environment)
    change = mine.filter(pk=number).first() if number.isdecimal() and len(number) < _LONG else None
    if change is None:
        raise PermissionDenied("Only managers of the team, their stand-ins and platform admins can decide on a change.")
    change.environment = environment
    return change


def open_change(environment: Environment, number: str) -> Change | None:
    """A change of this environment that waits for a decision; None if it no longer does."""
    waiting = Change.objects.waiting().filter(environment=environment)
    change = waiting.filter(pk=number).first() if number.isdecimal() and len(number) < _LONG else None
    if change:
        change.environment = environment
    return change


def published_versions(user: User) -> QuerySet[TemplateVersion]:
    """The published version of every template that this person may request."""
    usable = Template.objects.usable_by(user).values("pk")
    versions = TemplateVersion.objects.filter(state=TemplateVersion.State.PUBLISHED, template__in=usable)
    return versions.select_related("template")


def published_version(user: User, slug: str) -> TemplateVersion:
    """A template's published version, if this person may request it. Raises Http404."""
    return get_object_or_404(published_versions(user), template__slug=slug)


def may_edit(user: "User | AnonymousUser", environment: Environment) -> bool:
    """Whether a user may change an environment, as `editable_by`. Asks only about a leaver's environment."""
    if isinstance(user, User) and (user.is_platform_admin or environment.owner_id == user.pk):
        return True
    left_behind = environment.team_id is not None and environment.orphaned_at is not None
    return left_behind and Environment.objects.editable_by(user).filter(pk=environment.pk).exists()
