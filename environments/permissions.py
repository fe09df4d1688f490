"""How a page gets at an environment: a stranger meets 404, a reader who wants to change something 403."""

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404

from environments.models import Environment, User


def visible_environment(user: "User | AnonymousUser", namespace: str) -> Environment:
    """The environment, if this person may see it. Raises Http404."""
    related = ("owner", "team", "version__template", "cluster", "directory")
    environment = Environment.objects.visible_to(user).select_related(*related).filter(namespace=namespace).first()
    if environment is None:
        raise Http404("There is no such environment, or you have no access to it.")
    return environment


def editable_environment(user: "User | AnonymousUser", namespace: str) -> Environment:
    """The environment, if this person may change it. Raises Http404 for strangers, PermissionDenied for readers."""
    environment = visible_environment(user, namespace)
    if not may_edit(user, environment):
        raise PermissionDenied("Only the owner and platform admins may change this environment.")
    return environment


def may_edit(user: "User | AnonymousUser", environment: Environment) -> bool:
    """Whether somebody may change an environment."""
    return Environment.objects.editable_by(user).filter(pk=environment.pk).exists()
