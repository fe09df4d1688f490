"""What an environment's row says of its template's content: its answers, its own objects and what it reserves."""

from typing import Any

from django.core.exceptions import ValidationError

from environments.actions import placement
from environments.kube import manifests
from environments.models import Environment
from environments.spec import TemplateSpec


def own_keys(environment: Environment, spec: TemplateSpec, parameters: dict[str, str]) -> list[str]:
    """The template's own objects with these answers, as Kind/name. Raises ValueError with a sentence a line."""
    known = manifests.portal_values(spec, environment.cluster.host_patterns, environment.namespace)
    return manifests.own_keys(spec, known | parameters)


def columns(
    environment: Environment, spec: TemplateSpec, parameters: dict[str, str], hard: dict[str, str]
) -> dict[str, Any]:
    """The columns of an environment that gets this content. Objects that it no longer has stay known, to be removed.

    Raises ValidationError with what is wrong with the objects.
    """
    try:
        own = own_keys(environment, spec, parameters)
    except ValueError as error:
        raise ValidationError(str(error).splitlines()) from error
    return {
        "parameters": parameters,
        "applied_objects": list(dict.fromkeys([*environment.applied_objects, *own])),
        **placement.columns(hard),
    }
