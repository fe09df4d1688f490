"""Another size, or other answers to the template's questions: what it leads to, and every check of it.

What makes an environment smaller is granted at once. What makes it larger waits for a decision where its template, or
the size, needs approval.
"""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from environments import spec as template_spec
from environments.actions import asking, contents, drafts, guards, reviews
from environments.actions.asking import Asked, Figure
from environments.lib import quantities, queue
from environments.lib.activity import Activity
from environments.lib.wording import listed
from environments.models import Change, ChangeKind, Environment, User
from environments.models.reviews import Answer
from environments.spec import Mode, TemplateSpec

SMALLER = "Nothing gets larger."
NO_APPROVAL = "This template needs no approval for it."
_CHANGED = "This environment has changed. Reload the page to see how."


@dataclass(frozen=True)
class Resize:
    """A size and answers, and what they lead to. `before` and `after` are the quota's `hard`."""

    environment: Environment
    spec: TemplateSpec
    size: str
    parameters: dict[str, str]
    before: dict[str, str]
    after: dict[str, str]

    @property
    def grows(self) -> list[str]:
        """The names of what there would be more of, or without a limit."""
        both = [name for name in self.after if name in self.before]
        more = [name for name in both if quantities.exceeds(self.after[name], self.before[name])]
        return [quantities.name(name) for name in [*more, *(name for name in self.before if name not in both)]]

    @property
    def shortages(self) -> list[str]:
        """The resources of which more is used than would be allowed, a sentence each."""
        found = []
        for resource, (used, _) in self.environment.usage.items():
            if resource in self.after and quantities.exceeds(used, self.after[resource]):
                parsed = quantities.parse(used), quantities.parse(self.after[resource])
                now, granted = quantities.apart(resource, *parsed)
                found.append(f"{quantities.name(resource)}: {now} used, {granted} allowed.")
        return found

    @property
    def needs_approval(self) -> bool:
        """Whether an approver has to decide."""
        return bool(self.grows) and self.spec.needs_approval(self.size)

    @property
    def grounds(self) -> str:
        """Why nobody has to decide; empty where somebody has to."""
        return "" if self.needs_approval else NO_APPROVAL if self.grows else SMALLER

    @property
    def is_same(self) -> bool:
        """Whether nothing would change."""
        return self.size == self.environment.size and self.parameters == self.environment.parameters

    def figures(self) -> list[Figure]:
        """The size, the answers and the quota's figures that would change: what, before, after."""
        found = [("size", self.environment.size_label or "none", _title(self.spec, self.size))]
        answers = self.environment.parameters
        for each in self.spec.parameters:
            found.append((each.title, _shown(answers.get(each.name)), _shown(self.parameters[each.name])))
        changed = [figure for figure in found if figure[1] != figure[2]]
        return changed + asking.quota_figures(self.before, self.after)


def plan(environment: Environment, actor: User, size: str, parameters: dict[str, str]) -> Resize:
    """What a size and answers lead to. Changes nothing; whether the actor may change the environment is not asked.

    Raises ValidationError by field: `size`, `p_NAME` (drafts.parameter_field).
    """
    spec = environment.readable_spec
    if spec is None:
        raise ValidationError("The template of this environment can't be read. Update it to the newest version first.")
    chosen = drafts.check_choice(environment, actor, size, _answers(environment, spec, parameters))
    return Resize(
        environment,
        spec,
        size,
        chosen.parameters,
        template_spec.render_quota(spec, environment.size, environment.parameters),
        template_spec.render_quota(spec, size, chosen.parameters),
    )


def resize(
    environment: Environment,
    actor: User,
    size: str,
    parameters: dict[str, str],
    *,
    reason: str = "",
    below_use: bool = False,
) -> Change:
    """Give an environment another size or other answers, or ask for it where somebody has to decide.

    `below_use`: also where more is used than would be allowed. Raises ValidationError by field as `plan`, at `reason`,
    at `below_use` without that consent, and without a field if nothing would change (code `same`), one is open already
    (code `open`) or the environment was changed meanwhile; PermissionDenied; EndedError.
    """
    guards.check_editable(environment, actor)
    wanted, reason = plan(environment, actor, size, parameters), asking.check_reason(reason)
    if wanted.is_same:
        raise ValidationError("Choose another size, or change an answer.", code="same")
    if wanted.shortages and not below_use:
        raise ValidationError({"below_use": [ValidationError(shortage_sentence(wanted), code="below_use")]})
    with transaction.atomic():
        row = asking.lock_granted(environment)
        if _state(row) != _state(environment) or row.version_id != environment.version_id:
            raise ValidationError(_CHANGED)
        asked = Asked(
            ChangeKind.SIZE,
            _state(row),
            {"size": wanted.size, "parameters": wanted.parameters},
            wanted.figures(),
            "another size" if wanted.size != row.size else "other answers",
            reason,
            wanted.grounds,
        )
        if wanted.needs_approval:
            return asking.wait(row, actor, asked)
        change = asking.applied(row, actor, asked, Activity.SIZE_CHANGED)
        _carry_out(row, wanted)
        if not wanted.grows:
            reviews.close(row, Answer.SMALLER, actor, Environment.objects.get(pk=row.pk))
    return change


def apply(row: Environment, change: Change, actor: User) -> None:
    """Carry out what was asked for, as things are now. Raises ValidationError if that is no longer possible."""
    try:
        wanted = plan(row, change.asked_by or actor, change.after["size"], change.after["parameters"])
    except ValidationError as error:
        text = " ".join(error.messages)
        raise ValidationError(f"This is no longer possible: {text} Reject it, and say what to do instead.") from error
    _carry_out(row, wanted)


def quotas(row: Environment, change: Change) -> tuple[dict[str, str], dict[str, str]]:
    """The quota's `hard` now and after the change. Raises ValidationError."""
    if change.asked_by is None:
        raise ValidationError("The requester has left.")
    wanted = plan(row, change.asked_by, change.after["size"], change.after["parameters"])
    return wanted.before, wanted.after


def shortage_sentence(wanted: Resize) -> str:
    """What happens to what uses more than would be allowed."""
    names = listed([sentence.partition(":")[0] for sentence in wanted.shortages])
    return f"More is used than this allows ({names}). Tick the box to go on: running pods stay, new ones are rejected."


def _carry_out(row: Environment, wanted: Resize) -> None:
    changes = contents.columns(row, wanted.spec, wanted.parameters, wanted.after)
    changes |= {"size": wanted.size, "generation": F("generation") + 1}
    Environment.objects.filter(pk=row.pk).update(**changes)
    queue.enqueue_after_commit(row.pk)


def _state(environment: Environment) -> dict[str, Any]:
    return {"size": environment.size, "parameters": environment.parameters}


def _answers(environment: Environment, spec: TemplateSpec, given: dict[str, str]) -> dict[str, str]:
    """The answers given now, else those that were given before; what the template fixes stays fixed."""
    before = environment.parameters
    free = [each for each in spec.parameters if each.mode is not Mode.FIXED]
    return {each.name: given.get(each.name, before.get(each.name, "")) for each in free} | {
        name: value for name, value in given.items() if name not in {each.name for each in free}
    }


def _title(spec: TemplateSpec, name: str) -> str:
    size = spec.size(name)
    return size.title if size else "none"


def _shown(value: str | None) -> str:
    return f"“{value}”" if value else "empty"
