"""A newer version of the template, and what an update to it would change."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError

from environments import spec as template_spec
from environments.actions import moving
from environments.catalog import templates as template_actions
from environments.lib import quantities
from environments.models import Environment, TemplateVersion
from environments.spec import TemplateSpec


@dataclass(frozen=True)
class NewerVersion:
    """A version of the template that is newer than the environment's, and what an update would change."""

    version: TemplateVersion
    changes: list[str]
    shrinks: list[str]  # resources of which more is used than the version grants
    needs_approval: str  # why an approver has to decide, in a sentence; empty if nobody has to

    @property
    def sentence(self) -> str:
        """The difference in a sentence: the first change and how many more there are; else its changelog."""
        if not self.changes:
            return self.version.changelog or "The quota, limits and rules stay the same."
        first, *more = self.changes
        rest = f" And {len(more)} more change{'s' if len(more) > 1 else ''}." if more else ""
        return f"{first.removesuffix('.')}.{rest}"


def newer(environment: Environment) -> NewerVersion | None:
    """The published version, if it is not the environment's own; None while the environment is deleted.

    None before approval too: approvers decide on the version that was requested.
    """
    if not environment.wanted or environment.awaits_approval:
        return None
    version = (
        TemplateVersion.objects.filter(template=environment.version.template, state=TemplateVersion.State.PUBLISHED)
        .exclude(pk=environment.version_id)
        .first()
    )
    if version is None:
        return None
    try:
        new = version.parsed()
    except template_spec.InvalidSpecError:
        return None
    return NewerVersion(version, _changes(environment, new), shrinks(environment, new), _approval(environment, version))


def _approval(environment: Environment, version: TemplateVersion) -> str:
    try:
        return moving.needs_approval(moving.plan(environment, version))
    except ValidationError:
        return ""  # it cannot be moved at all; the move says why


def _changes(environment: Environment, new: TemplateSpec) -> list[str]:
    old = environment.readable_spec
    if old is None:
        return ["The current version can't be read, so the changes are unknown."]
    size = environment.size
    return template_actions.differences(_with_one_size(old, size), _with_one_size(new, size))


def _with_one_size(spec: TemplateSpec, name: str) -> TemplateSpec:
    """The content without the sizes that the environment does not have: they change nothing for it."""
    return spec.model_copy(update={"sizes": tuple(size for size in spec.sizes if size.name == name)})


def shrinks(environment: Environment, spec: TemplateSpec) -> list[str]:
    """The resources of which more is used than a version allows, a sentence each."""
    try:
        hard = template_spec.render_quota(spec, environment.size, environment.parameters)
    except ValueError:
        return []  # it has other parameters; the move says which
    sentences = []
    for resource, (used, _) in environment.usage.items():
        if resource in hard and quantities.exceeds(used, hard[resource]):
            now, granted = quantities.apart(resource, quantities.parse(used), quantities.parse(hard[resource]))
            sentences.append(f"{quantities.name(resource)}: {now} used, {granted} allowed.")
    return sentences
