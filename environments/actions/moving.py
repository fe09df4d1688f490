"""Moving an environment to the published version of its template, at once or after an approval."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from environments import spec as template_spec
from environments.actions import asking, contents, guards
from environments.actions.asking import Asked
from environments.lib import quantities, queue
from environments.lib.activity import Activity
from environments.models import Change, ChangeKind, Environment, Event, TemplateVersion, User
from environments.spec import TemplateSpec

_CHANGED = "This environment has changed. Reload the page to see how."


@dataclass(frozen=True)
class Move:
    """A move that fits: the version, the environment's answers to its questions, and the quota's `hard`."""

    environment: Environment
    version: TemplateVersion
    parameters: dict[str, str]
    hard: dict[str, str]

    def columns(self) -> dict[str, Any]:
        """The columns of the environment after it. Raises ValidationError."""
        spec = self.version.parsed()
        content = contents.columns(self.environment, spec, self.parameters, self.hard)
        return content | {"version": self.version, "spec": self.version.spec}


def move_environment(environment: Environment, version: TemplateVersion, actor: User) -> None:
    """Move an environment to the published version of its template.

    Raises ValidationError if it cannot be moved there: the version is no longer the published one, has no such size
    or parameter, or needs an approval (code `approval`; a platform admin needs none). Raises PermissionDenied.
    """
    guards.check_editable(environment, actor)
    move = plan(environment, version)
    if not actor.is_platform_admin and (sentence := needs_approval(move)):
        raise ValidationError(f"{sentence} Ask for approval.", code="approval")
    with transaction.atomic():
        _carry_out(move)
        message = f"{actor} moved this environment from {environment.version} to v{version.number}."
        Event.record(environment, actor, Activity.VERSION_CHANGED, message)


def ask_to_move(environment: Environment, version: TemplateVersion, actor: User, *, reason: str = "") -> Change:
    """Ask the approvers to have an environment moved. Raises ValidationError as `move_environment` and if nothing has
    to be approved or a move is asked for already (code `open`); PermissionDenied; EndedError.
    """
    guards.check_editable(environment, actor)
    reason, move = asking.check_reason(reason), plan(environment, version)
    if not needs_approval(move):
        raise ValidationError("This needs no approval. Reload the page.", code="no_approval")
    move.columns()
    with transaction.atomic():
        row = asking.lock_granted(environment)
        _check_published(row, version)
        if row.version_id != environment.version_id:
            raise ValidationError(_CHANGED)
        before, after = environment.version.number, version.number
        figures = [("version", str(before), str(after)), *_quota_figures(move)]
        asked = Asked(ChangeKind.VERSION, {"version": before}, {"version": after}, figures, f"version {after}", reason)
        return asking.wait(row, actor, asked)


def apply(row: Environment, change: Change, actor: User) -> None:
    """Move to the version that was asked for. Raises ValidationError if that is no longer the published one."""
    version = row.version.template.versions.filter(number=change.after["version"]).first()
    if version is None:
        raise ValidationError("This version no longer exists. Reject the change.")
    _carry_out(plan(row, version))


def quotas(row: Environment, change: Change) -> tuple[dict[str, str], dict[str, str]]:
    """The quota's `hard` now and after the change. Raises ValidationError."""
    version = row.version.template.versions.filter(number=change.after["version"]).first()
    if version is None:
        raise ValidationError("This version no longer exists.")
    return _quota(row) or {}, plan(row, version).hard


def plan(environment: Environment, version: TemplateVersion) -> Move:
    """What a move leads to. Raises ValidationError if the version has no such size or parameter."""
    spec = version.parsed()
    parameters = _carried_over(environment, spec)
    for _, sentence in spec.misfits(environment.size, parameters):
        raise ValidationError(sentence)
    return Move(environment, version, parameters, template_spec.render_quota(spec, environment.size, parameters))


def needs_approval(move: Move) -> str:
    """Why an approver has to decide on a move, in a sentence; empty if nobody has to.

    Moving an approved small environment to what grants more needs approval again.
    """
    version, environment = move.version, move.environment
    if not version.parsed().needs_approval(environment.size):
        return ""
    if not environment.requested_at:
        return f"Version {version.number} needs approval."
    grown = _grown(environment, move.hard)
    return f"Version {version.number} grants more than was approved ({', '.join(grown)})." if grown else ""


def _carry_out(move: Move) -> None:
    """Raises ValidationError if the environment or the version has changed meanwhile."""
    environment, version = move.environment, move.version
    _check_published(environment, version)
    rows = Environment.objects.filter(pk=environment.pk, wanted=True, version=environment.version_id).granted()
    if not rows.update(**move.columns(), generation=F("generation") + 1):
        raise ValidationError(_CHANGED)
    asking.replace(environment, (ChangeKind.SIZE, ChangeKind.VERSION), f"it was moved to version {version.number}")
    queue.enqueue_after_commit(environment.pk)


def _check_published(environment: Environment, version: TemplateVersion) -> None:
    """What a page offered may have been retired since."""
    published = TemplateVersion.objects.select_for_update(no_key=True).filter(
        pk=version.pk, template=environment.version.template_id, state=TemplateVersion.State.PUBLISHED
    )
    if published.order_by("pk").values("pk").first() is None:
        text = f"Version {version.number} is no longer the published one. Reload the page to see the new version."
        raise ValidationError(text, code="outdated")


def _quota(environment: Environment) -> dict[str, str] | None:
    """The quota that the environment has; None if that cannot be read."""
    spec = environment.readable_spec
    return template_spec.render_quota(spec, environment.size, environment.parameters) if spec else None


def _grown(environment: Environment, hard: dict[str, str]) -> list[str]:
    """What a quota grants beyond the environment's own; everything, if that cannot be read."""
    before = _quota(environment)
    if before is None:
        return ["its own quota cannot be read"]
    grown = [name for name, amount in hard.items() if name in before and quantities.exceeds(amount, before[name])]
    return [quantities.name(name) for name in grown + [name for name in before if name not in hard]]


def _quota_figures(move: Move) -> list[asking.Figure]:
    return asking.quota_figures(_quota(move.environment) or {}, move.hard)


def _carried_over(environment: Environment, spec: TemplateSpec) -> dict[str, str]:
    """The environment's answers to another version's questions. Raises ValidationError if one has none."""
    if spec.sizes and spec.size(environment.size) is None:
        raise ValidationError(f"This version has no size {environment.size_label or environment.size}.")
    values = {}
    for parameter in spec.parameters:
        fixed = parameter.mode is template_spec.Mode.FIXED
        value = parameter.default if fixed else environment.parameters.get(parameter.name) or parameter.default
        try:
            if value or parameter.required:
                parameter.check(value)
        except ValueError as error:
            raise ValidationError(f"{parameter.title}: {error}") from error
        values[parameter.name] = value
    return values
