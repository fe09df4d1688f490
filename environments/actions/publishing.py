"""What platform admins do to publish a draft: where a cluster is at hand, a worker has it checked there first.

What may be published is what a real API server takes and counts. Each cluster that the template may use is checked
on its own, by messages that each do a part of it and store how far they came: one cluster that is down delays no other,
and a worker that dies costs a minute. The last verdict decides: the draft is published, in the name of the admin who
asked, or it stays a draft and says why. A draft that is edited meanwhile makes its check void.
"""

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from environments.actions import placement, workbenches
from environments.catalog import templates as template_actions
from environments.lib import queue
from environments.lib.activity import TemplateActivity
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError
from environments.models import Cluster, ClusterVerdict, PublishCheck, TemplateVersion, User
from environments.models.checks import OVER, SILENCE, CheckState, VerdictState
from environments.reconcile import workbench
from environments.reconcile.workbench import Sample, Workbench
from environments.spec import InvalidSpecError, Problem, TemplateSpec

PERMISSION = "environments.change_templateversion"
VOID = "The draft was edited after the check began. Publish it again."
_ENDED = "This check has ended. Look at the page again."
AT_ONCE = 20.0  # seconds of one message's work, far below its limit; the next one does the rest
_PATIENCE = 15.0  # seconds of waiting for a cluster that does not answer, besides the calls themselves
_PAUSE = 3.0
_LOSS = 4.0  # seconds of patience that a lost worker costs: a check that stops them all must end, too
_BUSY = 2.0  # seconds until another look at a workbench that is in use

Message = tuple[int, str, int]  # the verdict, its run, its turn


def publish(version: TemplateVersion, actor: User) -> PublishCheck | None:
    """Publish a draft, or begin the check that publishes it; None if it is published: no cluster can check it.

    While a check of the same content runs, that one goes on. Raises ValidationError with everything that the portal's
    own rules have against the draft.
    """
    with transaction.atomic():
        current = template_actions.locked_draft(version)
        template_actions.check_publishable(current)
        clusters = list(placement.candidates(version.template))
        if not clusters:
            template_actions.publish(version, actor)
            return None
        running = PublishCheck.objects.filter(version=version, state=CheckState.RUNNING).first()
        if running and running.digest == template_actions.digest(current):
            return running
        return _begin(current, actor, clusters)


def _begin(version: TemplateVersion, actor: User, clusters: Sequence[Cluster]) -> PublishCheck:
    PublishCheck.objects.filter(version=version).delete()
    digest = template_actions.digest(version)
    check = PublishCheck.objects.create(version=version, digest=digest, asked_by=actor)
    names = ", ".join(map(str, clusters))
    message = f"v{version.number} is checked on {names} before it is published."
    template_actions.record(version, actor, TemplateActivity.CHECKED, message)
    _add(check, clusters)
    return check


def _add(check: PublishCheck, clusters: Iterable[Cluster]) -> None:
    for cluster in clusters:
        verdict = ClusterVerdict.objects.create(check_of=check, cluster=cluster, patience=_PATIENCE)
        queue.send_after_commit(queue.CHECK_TEMPLATE, *_message(verdict))


def try_again(version: TemplateVersion, actor: User) -> None:
    """Have the clusters checked again that could not be. Raises ValidationError if nothing waits for that."""
    with transaction.atomic():
        check = _stopped(version)
        verdicts = list(check.verdicts.filter(state=VerdictState.UNREACHABLE).select_related("cluster"))
        if not verdicts:
            raise ValidationError(_ENDED)
        for verdict in verdicts:
            fresh = {"run": uuid.uuid4(), "turn": 0, "position": 0, "tries": 0, "results": [], "message": ""}
            state = {"state": VerdictState.WAITING, "patience": _PATIENCE, "at": timezone.now(), "is_waived": False}
            ClusterVerdict.objects.filter(pk=verdict.pk).update(**fresh, **state)
            queue.send_after_commit(queue.CHECK_TEMPLATE, *_message(ClusterVerdict.objects.get(pk=verdict.pk)))
        _resume(check, actor)
        message = f"v{version.number} is checked on {_names(verdicts)} again."
        template_actions.record(version, actor, TemplateActivity.CHECKED, message)


def publish_without(version: TemplateVersion, actor: User, clusters: Iterable[int]) -> None:
    """Go on without the check on these clusters, which could not be checked; the history says so.

    Raises ValidationError if nothing waits for that, or another cluster than the named ones could not be checked.
    """
    with transaction.atomic():
        check = _stopped(version)
        unreachable = check.verdicts.filter(state=VerdictState.UNREACHABLE)
        if not unreachable.filter(cluster__in=list(clusters)).update(is_waived=True):
            raise ValidationError(_ENDED)
        if rest := list(unreachable.filter(is_waived=False).select_related("cluster")):
            names = ", ".join(str(each.cluster) for each in rest)
            raise ValidationError(f"Now {names} could not be checked either. Look at the page again.")
        _resume(check, actor)
    conclude(check.pk)


def _stopped(version: TemplateVersion) -> PublishCheck:
    current = template_actions.locked_draft(version)
    check = PublishCheck.objects.filter(version=version, state=CheckState.STOPPED).first()
    if check is None:
        raise ValidationError(_ENDED)
    if is_void(check, current):
        raise ValidationError(VOID)
    return check


def _resume(check: PublishCheck, actor: User) -> None:
    """Let a check run on, in the name of the admin who decided that."""
    PublishCheck.objects.filter(pk=check.pk).update(state=CheckState.RUNNING, message="", asked_by=actor)


def is_void(check: PublishCheck, version: TemplateVersion) -> bool:
    """Whether the draft is no longer the one that was checked."""
    return check.digest != template_actions.digest(version)


def objections(version: TemplateVersion) -> list[Problem]:
    """What clusters refused of the draft as it is now, each sentence with its place and the clusters' names."""
    check = PublishCheck.objects.filter(version=version).first()
    if check is None or check.state == CheckState.PUBLISHED or is_void(check, version):
        return []
    named: dict[tuple[tuple[str | int, ...], str], list[str]] = {}
    for verdict in check.verdicts.select_related("cluster"):
        for each in verdict.refusals:
            named.setdefault((tuple(each["place"]), each["sentence"]), []).append(str(verdict.cluster))
    return [(place, f"{', '.join(names)}: {sentence}") for (place, sentence), names in named.items()]


# What the workers do


def go_on(verdict_id: int, run: str, turn: int) -> tuple[int, float] | None:
    """Check on one cluster until it has to wait; the turn and the delay of the next message, None without one."""
    rows = ClusterVerdict.objects.select_related("cluster", "check_of__version__template", "check_of__asked_by")
    row = rows.filter(pk=verdict_id, run=run).first()
    if row is None:
        workbenches.leave(uuid.UUID(run))
        return None
    if row.turn != turn or row.is_over or not _store(row, turn, {"turn": turn + 1}):
        return None
    if not _is_wanted(row.check_of):
        workbenches.leave(row.run)
        return None
    if row.patience < 0:
        _end(row, VerdictState.UNREACHABLE, "The workers that checked this cluster stopped several times.")
        workbenches.leave(row.run)
        conclude(row.check_of_id)
        return None
    if not _take(row):
        return row.turn, _BUSY
    wait = _work(row)
    if wait is None:
        workbenches.leave(row.run)
        conclude(row.check_of_id)
        return None
    return row.turn, wait


def _is_wanted(check: PublishCheck) -> bool:
    """Whether the check still runs and the draft is the one that it is about; if not, it stops."""
    if is_void(check, check.version) or check.version.state != TemplateVersion.State.DRAFT:
        _stop(check.pk, VOID)
        return False
    return check.is_running


def _work(row: ClusterVerdict) -> float | None:
    """Do as much as one message may; the seconds to wait before the next one, None at the end or if it is lost."""
    started = time.monotonic()
    try:
        bench = _workbench(row)
        spec = row.check_of.version.parsed()
        found = workbench.samples(spec)
        while row.position < len(found):
            if wait := _one(row, bench, spec, found[row.position]):
                return wait
            if row.position < len(found) and time.monotonic() - started > AT_ONCE:
                return 0.0
    except _LostError:
        return None
    except TemporaryError as error:
        return _come_back(row, error)
    except (PermanentError, InvalidSpecError) as error:
        sentence = error.message if isinstance(error, ReconcileError) else str(error)
        _end(row, VerdictState.UNREACHABLE, sentence)
        return None
    _end(row, VerdictState.REFUSED if row.refusals else VerdictState.CHECKED)
    return None


class _LostError(Exception):
    """Another message took over: this one must write nothing more."""


def _one(row: ClusterVerdict, bench: Workbench, spec: TemplateSpec, sample: Sample) -> float:
    """Try one sample and store what came of it; the seconds to wait if it is too early to tell. Raises _LostError."""
    found = workbench.attempt(bench, spec, sample, row.tries)
    if found.wait:
        changes: dict[str, Any] = {"tries": row.tries + 1, "state": VerdictState.CHECKING}
    else:
        result = {
            "size": sample.size,
            "words": sample.words,
            "refusals": [{"place": list(place), "sentence": sentence} for place, sentence in found.refusals],
            "notes": found.notes,
        }
        changes = {"position": row.position + 1, "tries": 0, "results": [*row.results, result]}
        changes |= {"patience": _PATIENCE, "state": VerdictState.CHECKING}
    if not _store(row, row.turn, changes):
        raise _LostError
    return found.wait


def _come_back(row: ClusterVerdict, error: TemporaryError) -> float | None:
    """Try a cluster that does not answer again, as long as there is patience."""
    wait = max(_PAUSE, error.retry_after or 0)
    if wait > row.patience:
        _end(row, VerdictState.UNREACHABLE, error.message)
        return None
    return wait if _store(row, row.turn, {"patience": row.patience - wait}) else None


def _end(row: ClusterVerdict, state: VerdictState, message: str = "") -> None:
    _store(row, row.turn, {"state": state, "message": message[:500]})


def _workbench(row: ClusterVerdict) -> Workbench:
    """Raises PermanentError if a connection cannot be set up."""
    cluster, check = row.cluster, row.check_of
    return workbenches.of(cluster, check.version.template.slug, check.asked_by.email if check.asked_by else "")


def _store(row: ClusterVerdict, turn: int, changes: dict[str, Any]) -> bool:
    """Store progress, unless another message has taken its place. The instance has it then, too."""
    changes = changes | {"at": timezone.now()}
    same = ClusterVerdict.objects.filter(pk=row.pk, run=row.run, turn=turn)
    if not same.update(**changes):
        return False
    for name, value in changes.items():
        setattr(row, name, value)
    return True


def _take(row: ClusterVerdict) -> bool:
    return workbenches.take(row.cluster_id, row.run)


def _stop(check_id: int, message: str) -> None:
    PublishCheck.objects.filter(pk=check_id, state=CheckState.RUNNING).update(
        state=CheckState.STOPPED, message=message[:500]
    )


# The end


@dataclass(frozen=True)
class _Findings:
    """What all clusters say together."""

    check: PublishCheck
    verdicts: list[ClusterVerdict]

    def of(self, state: VerdictState) -> list[ClusterVerdict]:
        return [each for each in self.verdicts if each.state == state]

    @property
    def is_complete(self) -> bool:
        return all(each.is_over for each in self.verdicts)

    @property
    def open(self) -> list[ClusterVerdict]:
        return [each for each in self.of(VerdictState.UNREACHABLE) if not each.is_waived]

    @property
    def note(self) -> str:
        """What the history says of the check."""
        checked, waived = self.of(VerdictState.CHECKED), self.of(VerdictState.UNREACHABLE)
        said = [f"Checked on {_names(checked)}."] if checked else []
        said += [f"Not checked on {each.cluster} ({each.message[:100].rstrip('.')})." for each in waived]
        return " ".join(said)


def conclude(check_id: int) -> None:
    """Publish the draft, or say why not, once all clusters have their verdict. Any number of times."""
    check = PublishCheck.objects.select_related("version__template").filter(pk=check_id).first()
    if check is None or not check.is_running:
        return
    try:
        with transaction.atomic():
            current = template_actions.locked_draft(check.version)
            fresh = PublishCheck.objects.select_for_update(of=("self",)).filter(pk=check_id, state=CheckState.RUNNING)
            if check := fresh.select_related("asked_by").first():
                _decide(check, current)
    except ValidationError as error:
        _stop(check_id, " ".join(error.messages))


def _decide(check: PublishCheck, version: TemplateVersion) -> None:
    """Raises ValidationError if the draft cannot be published any more."""
    if is_void(check, version):
        raise ValidationError(VOID)
    clusters = {each.pk: each for each in placement.candidates(version.template)}
    rows = list(check.verdicts.select_related("cluster"))
    found = _Findings(check, [each for each in rows if each.cluster_id in clusters])
    if new := clusters.keys() - {each.cluster_id for each in rows}:
        _add(check, [clusters[pk] for pk in new])
    elif found.is_complete and (refused := found.of(VerdictState.REFUSED)):
        _hold(check, version, CheckState.REFUSED, f"{_names(refused)} rejects it.")
    elif found.is_complete and found.open:
        _hold(check, version, CheckState.STOPPED, f"{_names(found.open)} could not be checked.")
    elif found.is_complete:
        _publish(found, version)


def _hold(check: PublishCheck, version: TemplateVersion, state: CheckState, why: str) -> None:
    """End a check without publishing, and record why."""
    message = f"v{version.number} was not published: {why}"
    PublishCheck.objects.filter(pk=check.pk).update(state=state, message=message[:500])
    template_actions.record(version, check.asked_by, TemplateActivity.CHECKED, message)


def _publish(found: _Findings, version: TemplateVersion) -> None:
    check = found.check
    who = check.asked_by
    if who is None or not who.is_active or not who.has_perm(PERMISSION):
        raise ValidationError(f"{who or 'The admin who asked'} may no longer publish templates. Publish it again.")
    template_actions.publish(version, who, based_on=check.digest, note=found.note)
    PublishCheck.objects.filter(pk=check.pk).update(state=CheckState.PUBLISHED, message="")


def _names(verdicts: Iterable[ClusterVerdict]) -> str:
    return ", ".join(str(each.cluster) for each in verdicts)


# Messages


def _message(verdict: ClusterVerdict) -> Message:
    return verdict.pk, str(verdict.run), verdict.turn


def resume_stopped() -> list[Message]:
    """What to send for verdicts that lost their worker or message; checks that only wait for their end get it."""
    silent = timezone.now() - SILENCE
    running = PublishCheck.objects.filter(state=CheckState.RUNNING)
    waiting = ClusterVerdict.objects.filter(check_of__in=running, at__lt=silent).exclude(state__in=OVER)
    messages = [_message(each) for each in waiting]
    waiting.update(at=timezone.now(), patience=F("patience") - _LOSS)
    open_ones = ClusterVerdict.objects.exclude(state__in=OVER).values("check_of")
    for check in running.filter(asked_at__lt=silent).exclude(pk__in=open_ones):
        conclude(check.pk)
    return messages
