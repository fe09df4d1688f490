"""Whether a template's quota and its container defaults fit together. Pure.

Sources: https://kubernetes.io/docs/concepts/policy/resource-quotas/ (a pod without CPU or memory is rejected where a
quota bounds them) and SetDefaults_LimitRangeItem of the API server (a maximum becomes the default of all containers).
"""

from collections.abc import Iterable, Iterator

from environments.lib import quantities
from environments.spec.api_names import MEASURED
from environments.spec.base import PLACEHOLDER, Place, Problem
from environments.spec.parts import Limits

_WORDS = {"cpu": ("CPU", "200m"), "memory": ("memory", "256Mi"), "ephemeral-storage": ("ephemeral storage", "1Gi")}


def problems(figures: Iterable[tuple[Place, str]], limits: Limits) -> list[Problem]:
    """Where a quota needs container defaults that the template lacks, and where a maximum becomes the default."""
    found: dict[tuple[str, str], Problem] = {}
    for place, amount in figures:
        section, resource = _bounded(str(place[-1]))
        key = section, resource
        if key in found or resource not in MEASURED or _has_default(section, resource, limits):
            continue
        if sentence := _missing(section, resource, amount):
            found[key] = place, sentence
    return [*found.values(), *_lone_maximums(limits)]


def unusable(figures: Iterable[tuple[Place, str]]) -> Iterator[Problem]:
    """Where a quota allows more requests than limits. Of a figure that appears twice, the later one counts.

    What depends on a parameter cannot be judged here.
    """
    quota = {str(place[-1]): (place, amount) for place, amount in figures if not PLACEHOLDER.search(amount)}
    for resource, (what, _) in _WORDS.items():
        request, limit = quota.get(f"requests.{resource}") or quota.get(resource), quota.get(f"limits.{resource}")
        if request and limit and quantities.exceeds(request[1], limit[1]):
            text = f"Part of this can never be used, because no container's request is above its limit: {limit[1]} of"
            yield request[0], f"{text} {what} limits are allowed."


def _bounded(key: str) -> tuple[str, str]:
    """`requests.cpu` and `cpu` bound the requests of `cpu`."""
    section, _, resource = key.partition(".")
    return (section, resource) if section in ("requests", "limits") else ("requests", key)


def _has_default(section: str, resource: str, limits: Limits) -> bool:
    """Whether each container has a value: a default is the request, too, if the template sets no default request."""
    return resource in limits.default or (section == "requests" and resource in limits.default_request)


def _missing(section: str, resource: str, amount: str) -> str:
    what, example = _WORDS[resource]
    field = "default" if section == "limits" else "default request"
    add = f"Add a container {field} for {what}, for example {example}."
    if resource == "ephemeral-storage":
        return f"Without a container default, this counts only containers that set {what} themselves. {add}"
    if not PLACEHOLDER.search(amount) and quantities.parse(amount) == 0:
        return ""  # no container may have any, so none needs a default
    return f"Kubernetes rejects every pod that sets no {what} {section} under this quota. {add}"


def _lone_maximums(limits: Limits) -> list[Problem]:
    return [
        (
            ("limits", "maximum", resource),
            "Set a default, too. Without one, each container that sets no limit gets this maximum as its limit.",
        )
        for resource in limits.maximum
        if resource not in limits.default
    ]
