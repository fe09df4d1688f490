"""One action on many environments: rehearsed first, then carried out, by the verbs that act on one.

A rehearsal does everything in a transaction that is rolled back, so what it refuses is exactly what would be refused,
including what only the number makes too much. Its messages for workers wait for a commit that never comes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import TextChoices
from django.utils import timezone

from environments.actions import environments as verbs
from environments.actions import guards, memberships, moving
from environments.lib import dates
from environments.lib.phases import Role
from environments.models import Environment, TemplateVersion, User

_UNREADABLE = "The form was incomplete. Select the environments again."
MOST = 50  # environments at once; each takes a handful of queries


class Verb(TextChoices):
    """What can be done to many at once."""

    EXTEND = "extend", "Extend"
    MOVE = "move", "Update to the newest version"
    HAND_OVER = "hand-over", "Hand over"
    DELETE = "delete", "Delete"


@dataclass(frozen=True)
class Outcome:
    """What happens to one environment, in a sentence, or why it is refused.

    `shown` is what the sentence promises, as text for the form: the end, or the version's number. The action refuses
    to do something else.
    """

    environment: Environment
    sentence: str
    is_refused: bool = False
    shown: str = ""


#: Does it to one environment, as an actor, given what was shown (empty in a rehearsal); what it did, and what to show.
Step = Callable[[Environment, User, str], tuple[str, str]]


def rehearse(environments: Iterable[Environment], actor: User, step: Step) -> list[Outcome]:
    """What `carry_out` would do to each and refuse, without doing any of it. Raises PermissionDenied."""
    with transaction.atomic():
        found = carry_out(environments, actor, step, {})
        transaction.set_rollback(True)
    return found


def carry_out(environments: Iterable[Environment], actor: User, step: Step, shown: Mapping[str, str]) -> list[Outcome]:
    """Do it to one after another; what is refused stops no other. `shown`: namespace -> what was shown of it.

    Raises PermissionDenied for everybody but platform admins.
    """
    if not actor.is_platform_admin:
        raise PermissionDenied("Only platform admins can change several environments at once.")
    return [_one(row, actor, step, shown.get(row.namespace, "")) for row in environments]


def _one(environment: Environment, actor: User, step: Step, shown: str) -> Outcome:
    name = environment.name
    try:
        with transaction.atomic():
            sentence, promised = step(environment, actor, shown)
    except ValidationError as refusal:
        return Outcome(environment, " ".join(refusal.messages), is_refused=True)
    except PermissionDenied as refusal:
        return Outcome(environment, str(refusal) or f"You can't change {name}.", is_refused=True)
    return Outcome(environment, sentence, shown=promised)


def extend(environment: Environment, actor: User, shown: str) -> tuple[str, str]:
    """Extend it once more, to the end that was shown."""
    guards.check_open(environment)
    until, before = _moment(shown) if shown else environment.extended_end(), environment.ends_at
    if until is None or before is None:
        raise ValidationError(_why_no_end_is_next(environment))
    if until == before:
        raise ValidationError(f"It already expires {dates.day(before)}.")
    verbs.extend_environment(environment, actor, until=until)
    return f"Expires {dates.day(until)} instead of {dates.day(before)}.", until.isoformat()


def move(environment: Environment, actor: User, shown: str) -> tuple[str, str]:
    """Move it to the version that was shown, else to the published one."""
    guards.check_open(environment)
    if shown and not shown.isdecimal():
        raise ValidationError(_UNREADABLE)
    wanted = {"number": shown} if shown else {"state": TemplateVersion.State.PUBLISHED}
    version, before = environment.version.template.versions.filter(**wanted).first(), environment.version.number
    if version is None:
        raise ValidationError("Its template has no published version.")
    if version.pk == environment.version_id:
        raise ValidationError(f"It already uses version {before}.")
    moving.move_environment(environment, version, actor)
    return f"Version {version.number} instead of {before}.", str(version.number)


def hand_over(address: str, keep: Role | None) -> Step:
    """The step that makes the person with an address the owner; the former one keeps a role, or no access."""

    def step(environment: Environment, actor: User, shown: str) -> tuple[str, str]:
        guards.check_open(environment)
        former = environment.owner
        if shown and shown != str(former.pk):
            raise ValidationError(f"It now belongs to {former}.")
        memberships.hand_over(environment, actor, address, keep=keep)
        kept = f"keeps the role {keep.value}" if keep else "loses access"
        return f"Belongs to {environment.owner} instead of {former}, who {kept}.", str(former.pk)

    return step


def delete(environment: Environment, actor: User, shown: str) -> tuple[str, str]:
    """Delete it with everything in it; a request that waits for approval is withdrawn."""
    guards.check_open(environment)
    way = "withdraw" if environment.awaits_approval else "delete"
    if shown and shown != way:
        raise ValidationError("This environment has changed. Review it again.")
    if environment.awaits_approval:
        verbs.withdraw_request(environment, actor)
        return "The request is withdrawn.", way
    verbs.delete_environment(environment, actor, typed_name=environment.name)
    return f"The namespace on {environment.cluster} is deleted with everything in it.", way


def _why_no_end_is_next(environment: Environment) -> str:
    """Why an environment cannot be extended now."""
    spec = environment.readable_spec
    if environment.awaits_approval:
        return "This request is waiting for approval."
    if environment.ends_at is None or spec is None or spec.lifetime_days is None:
        return "This environment has no end date."
    opens = spec.extension.opens(spec.lifetime_days, environment.ends_at)
    if timezone.now() < opens:
        return f"This environment can be extended from {dates.day(opens)} on."
    return "This environment cannot be extended any further."


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValidationError(_UNREADABLE) from None
    if timezone.is_naive(found):
        raise ValidationError(_UNREADABLE)
    return found
