"""What platform admins do to find out whether a cluster's network isolates: have it tested with packets.

A worker runs the test in the workbench (`reconcile/isolation.py`). Each message does a part of it and stores how far it
came: a worker that dies costs a minute, and the test begins again. A test stays owed until its pods are removed.
"""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from environments.actions import workbenches
from environments.lib import queue
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError
from environments.lib.isolation import Isolation
from environments.models import Cluster, IsolationTest, User
from environments.models.checks import SILENCE
from environments.models.isolation import IsolationTestState as State
from environments.reconcile import isolation
from environments.reconcile.isolation import STAGES, Probe, Stage

ARRANGE, LISTEN = "arrange", "listen"
AT_ONCE = 20.0  # seconds of one message's work, far below its limit; the next one does the rest
_PATIENCE = 30.0  # seconds of waiting for a cluster that does not answer, besides the calls themselves
_PAUSE = 3.0
_LOOK = 1.5  # seconds until another look at a pod
_BUSY = 2.0  # seconds until another look at a workbench that is in use
_ARRANGE_SECONDS = 90.0
_TURN = timedelta(minutes=10)  # to wait for a workbench that checks of templates use
_MOST_LOSSES = 3
_REMOVING = timedelta(days=1)  # after that, the cluster can no longer be reached; the pods have ended by themselves

Message = tuple[int, str, int]  # the test, its run, its turn


def start(row: Cluster, actor: User) -> IsolationTest:
    """Have a worker test a cluster's network; a test that runs goes on. Raises ValidationError if it can't be."""
    if row.lost_at:
        raise ValidationError(f"{row} is marked as lost.")
    if row.is_simulated:
        raise ValidationError(f"{row} is simulated. It has no nodes and no network that could be tested.")
    with transaction.atomic():
        Cluster.objects.select_for_update().get(pk=row.pk)
        last = IsolationTest.objects.filter(cluster=row).first()
        if last and last.is_running:
            return last
        if last and not last.is_over:
            raise ValidationError("The pods of the last test are still being removed. Try again in a minute.")
        fresh = {"run": uuid.uuid4(), "image": settings.ISOLATION_TEST_IMAGE, "asked_by": actor}
        test, _ = IsolationTest.objects.update_or_create(cluster=row, defaults=_blank() | fresh)
        message = _message(test)
        queue.send_after_commit(queue.TEST_ISOLATION, *message)
    return test


def _blank() -> dict[str, Any]:
    now = timezone.now()
    progress = {"turn": 0, "losses": 0, "state": State.RUNNING, "asked_at": now, "at": now}
    return _restarted() | progress | {"result": "", "message": "", "ended_at": None}


def _restarted() -> dict[str, Any]:
    """A test at its beginning: what was found before another used the workbench says nothing."""
    step = {"step": ARRANGE, "since": timezone.now(), "patience": _PATIENCE}
    return step | {"address": "", "listener": "", "found": {}}


# What the workers do


def go_on(test_id: int, run: str, turn: int) -> tuple[int, float] | None:
    """Test until something has to wait; the turn and the delay of the next message, None without one."""
    row = IsolationTest.objects.select_related("cluster", "asked_by").filter(pk=test_id, run=run).first()
    if row is None:
        workbenches.leave(uuid.UUID(run))
        return None
    if row.turn != turn or row.is_over:
        return None
    try:
        _store(row, turn=turn + 1)
        if not _take(row):
            return row.turn, _BUSY
        return _work(row)
    except _LostError:
        return None


class _LostError(Exception):
    """Another message took over: this one must write nothing more."""


def _take(row: IsolationTest) -> bool:
    """Hold the workbench. Where another check had it in the meantime, the test begins again."""
    was_ours = workbenches.holds(row.cluster_id, row.run)
    if not workbenches.take(row.cluster_id, row.run):
        if row.is_running and timezone.now() - row.asked_at > _TURN:
            _conclude(row, Isolation.INCONCLUSIVE, "Other checks kept the workbench in use for ten minutes.")
        return False
    if row.is_running and not was_ours and row.step != ARRANGE:
        _begin_again(row)
    return True


def _begin_again(row: IsolationTest) -> None:
    if row.losses >= _MOST_LOSSES:
        _conclude(row, Isolation.INCONCLUSIVE, "The workers that ran the test stopped several times.")
    else:
        _store(row, losses=row.losses + 1, **_restarted())


def _work(row: IsolationTest) -> tuple[int, float] | None:
    """Do as much as one message may; what the next one is, None if none follows. Raises _LostError."""
    started = time.monotonic()
    while time.monotonic() - started < AT_ONCE:
        wait = _carefully(row, _remove if row.state == State.REMOVING else _step)
        if row.is_over:
            return None
        if wait:
            return (row.turn, wait) if wait > 0 else None
    return row.turn, 0.0


def _carefully(row: IsolationTest, do: Callable[[IsolationTest, Probe], float]) -> float:
    """Do the next part; the seconds to wait before another, 0 for none, below 0 to leave it to the sweep."""
    try:
        return do(row, _probe(row))
    except TemporaryError as error:
        wait = max(_PAUSE, error.retry_after or 0)
        if wait <= row.patience:
            _store(row, patience=row.patience - wait)
            return wait
        return _failed(row, error)
    except PermanentError as error:
        return _failed(row, error)


def _failed(row: IsolationTest, error: ReconcileError) -> float:
    """The test ends without a result. A removal that failed is tried again by the sweep, for a day."""
    if row.is_running:
        _conclude(row, Isolation.INCONCLUSIVE, error.message)
        return 0.0
    workbenches.leave(row.run)
    if timezone.now() - row.asked_at < _REMOVING and row.cluster.lost_at is None:
        return -1.0
    _store(row, state=State.OVER)
    return 0.0


def _probe(row: IsolationTest) -> Probe:
    """Raises PermanentError if a connection cannot be set up."""
    return Probe(workbenches.of(row.cluster, "isolation-test"), row.image, str(row.run))


def _step(row: IsolationTest, probe: Probe) -> float:
    """The step that the test is at; the seconds to wait before it is looked at again. Raises ReconcileError."""
    if row.step == ARRANGE:
        return _arrange(row, probe)
    if row.step == LISTEN:
        return _listen(row, probe)
    return _measure(row, probe, next(each for each in STAGES if each.name == row.step))


def _arrange(row: IsolationTest, probe: Probe) -> float:
    if isolation.arrange(probe):
        _store(row, step=LISTEN, since=timezone.now(), patience=_PATIENCE)
        return 0.0
    if _lasts(row) > _ARRANGE_SECONDS:
        raise PermanentError("The workbench namespace was not ready for pods within 90 seconds.", reason="NotYet")
    return _LOOK


def _listen(row: IsolationTest, probe: Probe) -> float:
    state = isolation.listen(probe)
    if state.is_running:
        place = {"address": state.address[:64], "listener": state.uid}
        _store(row, step=STAGES[0].name, since=timezone.now(), patience=_PATIENCE, **place)
        return 0.0
    if state.is_over or state.restarts:
        raise PermanentError("The test's pod that listens ended early. Its image may lack httpd and nc.")
    if _lasts(row) > isolation.START_SECONDS:
        raise PermanentError(isolation.why_not_started(state, row.image), reason="NotStarted")
    return _LOOK


def _measure(row: IsolationTest, probe: Probe, stage: Stage) -> float:
    state = isolation.measure(probe, stage, row.address)
    if not state.is_over:
        if state.phase == "Pending" and _lasts(row) > isolation.START_SECONDS:
            raise PermanentError(isolation.why_not_started(state, row.image), reason="NotStarted")
        if _lasts(row) > isolation.STAGE_SECONDS:
            raise PermanentError(f"The test's pod did not end in the stage “{stage.title}”.", reason="NotEnded")
        return _LOOK
    if not isolation.is_listening(probe, row.listener):
        raise PermanentError(f"The pod that listens ended in the stage “{stage.title}”.", reason="NotListening")
    codes = isolation.codes(state)
    if doubt := isolation.doubt(stage, codes):
        raise PermanentError(doubt, reason="Inconclusive")
    isolation.remove(probe, stage)
    _go_to_next(row, stage, row.found | {stage.name: codes})
    return 0.0


def _go_to_next(row: IsolationTest, stage: Stage, found: dict[str, isolation.Codes]) -> None:
    rest = STAGES[STAGES.index(stage) + 1 :]
    if rest:
        _store(row, step=rest[0].name, since=timezone.now(), patience=_PATIENCE, found=found)
    else:
        _store(row, found=found)
        _conclude(row, *isolation.judge(found))


def _remove(row: IsolationTest, probe: Probe) -> float:
    """Remove what the test made; the seconds to wait before another look. Raises ReconcileError."""
    if isolation.clean(probe.bench):
        workbenches.leave(row.run)
        _store(row, state=State.OVER)
        return 0.0
    if _lasts(row) < isolation.START_SECONDS:
        return _LOOK
    raise PermanentError("The cluster has not removed the test's pods yet.", reason="NotGone")


def _lasts(row: IsolationTest) -> float:
    return (timezone.now() - row.since).total_seconds()


def _store(row: IsolationTest, **changes: Any) -> None:
    """Store progress; the instance has it then, too. Raises _LostError if another message has taken its place."""
    changes |= {"at": timezone.now()}
    if not IsolationTest.objects.filter(pk=row.pk, run=row.run, turn=row.turn).update(**changes):
        raise _LostError
    for name, value in changes.items():
        setattr(row, name, value)


def _conclude(row: IsolationTest, result: Isolation, sentence: str) -> None:
    """Store the result, and have the pods removed. Without a result, the cluster keeps that of an earlier test."""
    now = timezone.now()
    with transaction.atomic():
        ending = {"state": State.REMOVING, "since": now, "ended_at": now, "patience": _PATIENCE}
        _store(row, result=result, message=sentence[:900], **ending)
        same = Cluster.objects.filter(pk=row.cluster_id)
        if result == Isolation.INCONCLUSIVE:
            same = same.filter(isolation__in=("", Isolation.INCONCLUSIVE))
        same.update(isolation=result, isolation_tested_at=now)
        if row.asked_by_id is not None:
            said = f"Network isolation tested: {result.label}. {sentence}"
            LogEntry.objects.log_actions(
                row.asked_by_id, [row.cluster], CHANGE, change_message=said, single_object=True
            )


# Messages


def _message(row: IsolationTest) -> Message:
    return row.pk, str(row.run), row.turn


def resume_stopped() -> list[Message]:
    """What to send for tests that lost their worker or message. One without a result begins again."""
    silent = IsolationTest.objects.select_related("cluster").filter(at__lt=timezone.now() - SILENCE)
    messages = []
    for row in silent.exclude(state=State.OVER):
        try:
            if row.is_running:
                _begin_again(row)
            else:
                _store(row)
        except _LostError:
            continue
        messages.append(_message(row))
    return messages
