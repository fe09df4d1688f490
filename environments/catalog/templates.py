"""Actions on templates: create, save, publish, retire and discard versions. Used by admin, import and commands.

Each one checks, changes the rows and adds a TemplateEvent in one transaction. The caller checks the actor's
permission. A published version is never changed: `new_draft` copies it, `publish` puts the copy in its place.
"""

import difflib
import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import yaml
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from environments import spec as template_spec
from environments.lib import quantities
from environments.lib.activity import TemplateActivity
from environments.models import Template, TemplateVersion, User
from environments.models.templates import TemplateEvent
from environments.spec import InvalidSpecError, Parameter, Size, TemplateSpec
from environments.spec.figures import ordered

State = TemplateVersion.State

#: The first draft of a new template: a small quota, an isolated network, and defaults so that pods start.
STARTER = template_spec.parse(
    {
        "quota": {
            "requests.cpu": "1",
            "requests.memory": "1Gi",
            "limits.cpu": "2",
            "limits.memory": "2Gi",
            "pods": "20",
            "services": "10",
            "persistentvolumeclaims": "2",
            "requests.storage": "10Gi",
        },
        "limits": {
            "default": {"cpu": "100m", "memory": "128Mi"},
            "default_request": {"cpu": "50m", "memory": "64Mi"},
        },
        "lifetime_days": 90,
    }
)


def first_draft(
    template: Template, actor: User | None, spec: TemplateSpec = STARTER, changelog: str = ""
) -> TemplateVersion:
    """A draft that begins with the given content."""
    with transaction.atomic():
        version = _add(template, template_spec.dump(spec), changelog)
        record(version, actor, TemplateActivity.DRAFT_CREATED, f"Draft v{version.number} was created.")
    return version


def new_draft(version: TemplateVersion, actor: User | None) -> TemplateVersion:
    """A draft with another version's content and the next number."""
    with transaction.atomic():
        draft = _add(version.template, version.spec, "")
        message = f"Draft v{draft.number} was created from v{version.number}."
        record(draft, actor, TemplateActivity.DRAFT_CREATED, message)
    return draft


def save_draft(
    version: TemplateVersion, spec: TemplateSpec, changelog: str, actor: User | None, *, based_on: str = ""
) -> bool:
    """Give a draft new content; whether anything changed. The instance has the new content afterwards.

    Raises ValidationError if it is no longer a draft, or not the one with the digest that it was `based_on`.
    """
    data = template_spec.dump(spec)
    with transaction.atomic():
        current = locked_draft(version)
        if based_on and digest(current) != based_on:
            raise ValidationError(
                "Someone else saved this draft after you opened it. Reload the page, or save yours as another draft.",
                code="stale",
            )
        changed = current.spec != data or current.changelog != changelog
        if changed:
            TemplateVersion.objects.filter(pk=version.pk).update(spec=data, changelog=changelog)
            message = f"Draft v{version.number} was edited."
            record(version, actor, TemplateActivity.DRAFT_EDITED, message, current.spec, data)
    version.spec, version.changelog = data, changelog
    return changed


def publish(version: TemplateVersion, actor: User | None, *, based_on: str = "", note: str = "") -> TemplateVersion:
    """Make a draft the version that can be requested, and retire the former one. The history adds the `note`.

    The portal's own rules are checked, no cluster (`actions.publishing` does both). Raises ValidationError, with every
    reason, where it is no draft, not the one with the digest that it was `based_on`, has no changelog line, or would
    not work.
    """
    with transaction.atomic():
        current = locked_draft(version)
        if based_on and digest(current) != based_on:
            raise ValidationError("Someone edited this draft after it was checked.", code="stale")
        check_publishable(current)
        published = TemplateVersion.objects.filter(template=version.template, state=State.PUBLISHED)
        former = published.first()
        published.update(state=State.RETIRED)
        draft = TemplateVersion.objects.filter(pk=version.pk, state=State.DRAFT)
        draft.update(state=State.PUBLISHED, published_at=timezone.now(), published_by=actor)
        retired = f"; v{former.number} is retired" if former else ""
        message = " ".join(filter(None, [f"v{version.number} was published{retired}.", note, current.changelog]))
        record(version, actor, TemplateActivity.PUBLISHED, message, former.spec if former else None, current.spec)
    version.refresh_from_db()
    return version


def retire(version: TemplateVersion, actor: User | None) -> None:
    """Take a published version out of the catalog. What was made from it stays.

    Raises ValidationError if it is not published.
    """
    with transaction.atomic():
        rows = TemplateVersion.objects.filter(pk=version.pk, state=State.PUBLISHED)
        if not rows.update(state=State.RETIRED):
            raise ValidationError(f"{version} is not published.")
        message = f"v{version.number} was retired and can no longer be requested."
        record(version, actor, TemplateActivity.RETIRED, message)
    version.refresh_from_db()


def discard(version: TemplateVersion, actor: User | None) -> None:
    """Delete a draft. Raises ValidationError if it is no longer a draft."""
    with transaction.atomic():
        current = locked_draft(version)
        TemplateEvent.objects.create(
            template=version.template,
            actor=actor,
            kind=TemplateActivity.DRAFT_DISCARDED,
            message=f"Draft v{version.number} was discarded.",
            diff=unified_diff(current.spec, None, f"v{version.number}", "nothing"),
        )
        current.delete()


def differences(old: TemplateSpec, new: TemplateSpec) -> list[str]:
    """The differences from an old to a new version, one sentence each; empty if they are equal."""
    return [
        *_parameter_differences(old, new),
        *_size_differences(old, new),
        *_figures("Quota", old.quota, new.quota),
        *_figures("Container default", old.limits.default, new.limits.default),
        *_figures("Container default request", old.limits.default_request, new.limits.default_request),
        *_figures("Container maximum", old.limits.maximum, new.limits.maximum),
        *_isolation_differences(old, new),
        *_access_differences(old, new),
        *_plain_differences(old, new),
    ]


def digest(version: TemplateVersion) -> str:
    """A short text that changes with a version's content, to notice that another admin was faster."""
    content = json.dumps([version.changelog, version.spec], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def as_yaml(data: Any) -> str:
    """A version's content as a person writes it: without what is the default anyway."""
    with suppress(InvalidSpecError):  # written for another version of the portal: as it is stored
        data = ordered(template_spec.parse(data).model_dump(mode="json", exclude_defaults=True))
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def unified_diff(old: Any, new: Any, old_name: str, new_name: str) -> str:
    """The difference between two contents as a unified diff of their YAML; None is nothing at all."""
    before, after = (as_yaml(data).splitlines() if data is not None else [] for data in (old, new))
    return "\n".join(difflib.unified_diff(before, after, old_name, new_name, lineterm="", n=4))


def _add(template: Template, data: Any, changelog: str) -> TemplateVersion:
    Template.objects.select_for_update().get(pk=template.pk)  # numbers are given one after the other
    latest = template.versions.order_by("-number").first()
    number = latest.number + 1 if latest else 1
    return TemplateVersion.objects.create(template=template, number=number, spec=data, changelog=changelog)


def locked_draft(version: TemplateVersion) -> TemplateVersion:
    """The draft as it is now, for this transaction alone. Raises ValidationError."""
    Template.objects.select_for_update().get(pk=version.template_id)
    current = TemplateVersion.objects.filter(pk=version.pk, state=State.DRAFT).first()
    if current is None:
        raise ValidationError(f"{version} is no longer a draft.", code="state")
    return current


def check_publishable(version: TemplateVersion) -> None:
    """Raise ValidationError with everything that the portal's own rules have against a draft."""
    sentences = [] if version.changelog else ["Describe what is new in the changelog line."]
    try:
        problems = version.parsed().objections()
    except InvalidSpecError as error:
        problems = error.problems
    sentences += [f"{'.'.join(map(str, place))}: {text}" if place else text for place, text in problems]
    if sentences:
        raise ValidationError(sentences)


def record(
    version: TemplateVersion,
    actor: User | None,
    kind: TemplateActivity,
    message: str,
    old: Any = None,
    new: Any = None,
) -> None:
    """Add a line to a version's history, with the difference between two contents where there is one."""
    compared = old is not None and new is not None
    TemplateEvent.objects.create(
        template=version.template,
        version=version,
        actor=actor,
        kind=kind,
        message=message[:500],
        changes=_sentences(old, new) if compared else [],
        diff=unified_diff(old, new, "before", "after") if compared else "",
    )


def _sentences(old: Any, new: Any) -> list[str]:
    try:
        return differences(template_spec.parse(old), template_spec.parse(new))
    except InvalidSpecError:
        return []


_PARAMETER_WORDS = {
    "label": "the label",
    "help": "the help text",
    "type": "the type",
    "mode": "who can change it",
    "required": "required",
    "default": "the default",
    "choices": "the list of values",
    "pattern": "the pattern",
    "minimum": "the minimum",
    "maximum": "the maximum",
}
#: Parts without words of their own: their fields by name.
_PLAIN = ("admission", "extension", "naming", "labels", "annotations", "automount_token", "manifests")


def _parameter_differences(old: TemplateSpec, new: TemplateSpec) -> list[str]:
    return _named_differences("parameter", old.parameters, new.parameters, _one_parameter)


def _named_differences[Part: (Parameter, Size)](
    what: str, old: Iterable[Part], new: Iterable[Part], one: Callable[[Part, Part], list[str]]
) -> list[str]:
    """What came, what went, what changed, and whether the order did; `one` compares two of the same name."""
    before, after = ({part.name: part for part in parts} for parts in (old, new))
    found = [f"The {what} {part.title} was added." for name, part in after.items() if name not in before]
    found += [f"The {what} {part.title} was removed." for name, part in before.items() if name not in after]
    both = [name for name in after if name in before]
    found += [sentence for name in both for sentence in one(before[name], after[name])]
    if both != [name for name in before if name in after]:
        found.append(f"The order of the {what}s changed.")
    return found


def _one_parameter(old: Parameter, new: Parameter) -> list[str]:
    changed = [field for field in _PARAMETER_WORDS if getattr(old, field) != getattr(new, field)]
    return [
        f"Parameter {new.title}: {_PARAMETER_WORDS[field]} is {_show(getattr(new, field))}, "
        f"was {_show(getattr(old, field))}."
        for field in changed
    ]


def _size_differences(old: TemplateSpec, new: TemplateSpec) -> list[str]:
    return _named_differences("size", old.sizes, new.sizes, _one_size)


def _one_size(old: Size, new: Size) -> list[str]:
    words = {"label": "the label", "teams": "the allowed teams", "approval": "approval needed"}
    changed = [field for field in words if getattr(old, field) != getattr(new, field)]
    found = [
        f"Size {new.title}: {words[field]} is {_show(getattr(new, field))}, was {_show(getattr(old, field))}."
        for field in changed
    ]
    return found + _figures(f"Size {new.title}", old.quota, new.quota)


def _figures(what: str, old: dict[str, str], new: dict[str, str]) -> list[str]:
    changed = [name for name in old | new if old.get(name) != new.get(name)]
    return [f"{what}, {name}: {_figure(old.get(name), new.get(name))}." for name in changed]


def _figure(old: str | None, new: str | None) -> str:
    if old is None:
        return f"{new}, was not set"
    if new is None:
        return f"no longer set, was {old}"
    try:
        before, after = quantities.parse(old), quantities.parse(new)
    except ValueError:  # it hangs on a parameter
        return f"{new}, was {old}"
    word = "the same amount" if after == before else "more" if after > before else "less"
    return f"{new}, was {old} ({word})"


def _isolation_differences(old: TemplateSpec, new: TemplateSpec) -> list[str]:
    before, after = old.network.sentences(), new.network.sentences()
    found = [f"Now allowed: {sentence}" for sentence in after if sentence not in before]
    found += [f"No longer allowed: {sentence}" for sentence in before if sentence not in after]
    for mode in ("enforce", "audit", "warn"):
        level, former = getattr(new.pod_security, mode), getattr(old.pod_security, mode)
        if level != former:
            found.append(f"Pod Security, {mode}: {level}, was {former}.")
    return found


def _access_differences(old: TemplateSpec, new: TemplateSpec) -> list[str]:
    found = []
    if old.owner_role != new.owner_role:
        found.append(f"Owner's role: {new.owner_role}, was {old.owner_role}.")
    if old.collaborator_roles != new.collaborator_roles:
        before, after = (_show(spec.collaborator_roles) for spec in (old, new))
        found.append(f"Roles for collaborators: {after}, was {before}.")
    if old.lifetime_days != new.lifetime_days:
        before, after = (f"{days} days" if days else "no end" for days in (old.lifetime_days, new.lifetime_days))
        found.append(f"Lifetime: {after}, was {before}.")
    if old.approval != new.approval:
        before, after = (_show(spec.approval) for spec in (old, new))
        found.append(f"Every request needs approval: {after}, was {before}.")
    return found


def _plain_differences(old: TemplateSpec, new: TemplateSpec) -> list[str]:
    before, after = (_flat(template_spec.dump(spec)) for spec in (old, new))
    changed = [place for place in before | after if before.get(place) != after.get(place)]
    return [f"{place}: {_show(after.get(place))}, was {_show(before.get(place))}." for place in changed]


def _flat(data: dict[str, Any]) -> dict[str, Any]:
    """The parts without words of their own, by the place of each value."""
    found: dict[str, Any] = {}
    for part in _PLAIN:
        value = data.get(part)
        found |= {f"{part}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {part: value}
    return found


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "nothing"
    text = str(value) if value is not None else ""
    if "\n" in text:
        return f"{len(text.splitlines())} lines"
    return f"“{text}”" if text else "empty"
