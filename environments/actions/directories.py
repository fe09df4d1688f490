"""What platform admins do with a directory: test it with a group of its own.

A worker runs the test, because a directory of many copies may need seconds to show a change. After each step the test
is stored in its directory's row: the admin page reads it there, and the next message goes on from there. A worker
never sleeps: where a step has to wait, the worker ends its task and a delayed message does the step again.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.utils import timezone

from environments import directory
from environments.directory import DirectoryClient, DirectoryRow, Explores, GroupKey, Person
from environments.lib import naming, queue
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError
from environments.models import Directory, User

_NOT_YET = ("NotYet", "NotSeen", "NotAdded", "NotRemoved", "Conflict")  # a directory of many copies needs some seconds
_PAUSE = 2.0
_PATIENCE = 16.0  # seconds for all waiting together: an admin follows the page
AT_ONCE = 30.0  # seconds of one task, far below its limit; the next message does the rest
_SILENCE = timedelta(minutes=1)  # a test without progress for so long has lost its worker

_OVER = ""
_HIDDEN = "The directory accepted it. It does not show members, so it could not confirm it."


@dataclass(frozen=True)
class Line:
    """One step of the test and how it ended."""

    step: str
    said: str
    worked: bool


@dataclass(frozen=True)
class Trial:
    """A test with an account: what it has done and where it goes on.

    `keys` are the groups to delete at the end: the test's own, then those of a test that stopped. `turn` counts the
    messages that were read: a message that arrives twice finds another turn and does nothing.
    """

    run: str
    email: str
    by: int | None
    keys: tuple[GroupKey, ...]
    step: str = "find_account"
    turn: int = 0
    person: Person | None = None
    group: str = ""
    lines: tuple[Line, ...] = ()
    patience: float = _PATIENCE
    at: str = ""

    @classmethod
    def new(cls, email: str, by: int | None = None, leftovers: tuple[GroupKey, ...] = ()) -> Self:
        """Return a test that has done nothing yet."""
        name = f"{naming.slug(settings.PORTAL_NAME) or 'portal'}-self-test-{naming.new_suffix()}"
        key = GroupKey(name, str(uuid.uuid4()), "A test by the portal. It may be deleted.")
        return cls(str(uuid.uuid4()), email, by, (key, *leftovers), at=timezone.now().isoformat())

    @classmethod
    def stored(cls, row: Directory) -> Self | None:
        """Return the directory's last test, None without one."""
        if row.trial is None:
            return None
        found: dict[str, Any] = row.trial | {
            "keys": tuple(GroupKey(**key) for key in row.trial["keys"]),
            "person": row.trial["person"] and Person(**row.trial["person"]),
            "lines": tuple(Line(**line) for line in row.trial["lines"]),
        }
        return cls(**found)

    @property
    def is_over(self) -> bool:
        """Whether no step is left."""
        return self.step == _OVER

    @property
    def is_stopped(self) -> bool:
        """Whether no worker has gone on with it for a minute."""
        return not self.is_over and datetime.fromisoformat(self.at) < timezone.now() - _SILENCE

    @property
    def is_running(self) -> bool:
        """Whether the page can expect more lines."""
        return not self.is_over and not self.is_stopped

    @property
    def failed(self) -> list[str]:
        """The steps that failed."""
        return [line.step for line in self.lines if not line.worked]


def start(row: Directory, email: str, by: User) -> Trial:
    """Store a new test and have a worker run it. Raises TemporaryError while one runs, or if the queue is down."""
    last = Trial.stored(row)
    if last and last.is_running:
        raise TemporaryError("A test is already running. Wait until it is over.", reason="Running")
    trial = Trial.new(email, by.pk, leftovers=last.keys if last and last.is_stopped else ())
    same = Directory.objects.filter(pk=row.pk)
    same = same.filter(trial__run=last.run, trial__turn=last.turn) if last else same.filter(trial__isnull=True)
    if not same.update(trial=asdict(trial)):
        raise TemporaryError("Another admin has just started a test.", reason="Running")
    if not queue.send(queue.TRY_DIRECTORY, row.pk, trial.run, trial.turn):
        Directory.objects.filter(pk=row.pk, trial__run=trial.run).update(trial=row.trial)
        raise TemporaryError("The test could not be started, because the queue did not answer. Try again.")
    return trial


def go_on(directory_id: int, run: str, turn: int) -> tuple[int, float] | None:
    """Do the steps of a test until one has to wait; the turn and the delay of the next message, None without one."""
    started = time.monotonic()
    row = Directory.objects.filter(pk=directory_id).first()
    trial = Trial.stored(row) if row else None
    if row is None or trial is None or (trial.run, trial.turn) != (run, turn):
        return None
    if not (trial := _store(row, replace(trial, turn=turn + 1), turn)):
        return None
    while not trial.is_over:
        trial, wait = take_step(row, trial)
        if not _store(row, trial, turn + 1):
            return None
        if not trial.is_over and (wait or time.monotonic() - started > AT_ONCE):
            return trial.turn, wait
    _log(row, trial)
    return None


def resume_stopped() -> list[tuple[int, str, int]]:
    """Send stopped tests to their last step, which deletes their groups; the arguments of the messages to send."""
    messages = []
    for row in Directory.objects.filter(trial__isnull=False):
        trial = Trial.stored(row)
        if trial and trial.is_stopped:
            rest = _store(row, replace(_abandoned(trial), turn=trial.turn + 1), trial.turn)
            if rest and not rest.is_over:
                messages.append((row.pk, rest.run, rest.turn))
    return messages


def take_step(row: DirectoryRow, trial: Trial) -> tuple[Trial, float]:
    """Do the next step; the test after it, and the seconds to wait if the step has to be done again."""
    step = _STEPS[trial.step]
    try:
        trial, said = step.do(directory.connect(row), trial)
    except ReconcileError as error:
        if error.reason in _NOT_YET and trial.patience > 0:
            return replace(trial, patience=trial.patience - _PAUSE), _PAUSE
        return _after(trial, Line(step.title, error.message, worked=False)), 0.0
    if not said:  # nothing of the step applies to this kind of directory
        return take_step(row, _after(trial, None))
    return _after(trial, Line(step.title, said, worked=True)), 0.0


def _store(row: Directory, trial: Trial, turn: int) -> Trial | None:
    """Store the test unless another message or another test has taken its place. The row's `updated_at` stays."""
    trial = replace(trial, at=timezone.now().isoformat())
    same = Directory.objects.filter(pk=row.pk, trial__run=trial.run, trial__turn=turn)
    return trial if same.update(trial=asdict(trial)) else None


def _log(row: Directory, trial: Trial) -> None:
    failed = trial.failed
    said = f"Tested with {trial.email}: {', '.join(failed) or 'all steps'} {'failed' if failed else 'passed'}."
    if trial.by is not None and User.objects.filter(pk=trial.by).exists():
        LogEntry.objects.log_actions(trial.by, [row], CHANGE, change_message=said, single_object=True)


def _after(trial: Trial, line: Line | None) -> Trial:
    """Return the test after a step: without an account or a group only the deletion is left, if anything.

    A step that has nothing to say of this kind of directory leaves no line.
    """
    lines, order = (*trial.lines, line) if line else trial.lines, [*_STEPS, _OVER]
    following = order[order.index(trial.step) + 1]
    failed = line is not None and not line.worked
    if failed and trial.step == "find_account":
        following = "delete" if len(trial.keys) > 1 else _OVER
    elif failed and trial.step == "create":
        following = "delete"
    elif failed and trial.step == "delete":
        names = ", ".join(key.name for key in trial.keys)
        lines = (*lines, Line("Clean up", f"{names} may still be in the directory. Delete it there.", worked=False))
    return replace(trial, step=following, lines=lines)


def _abandoned(trial: Trial) -> Trial:
    """Return a test that lost its worker, with nothing left to do but to delete its groups."""
    if trial.step == "delete":
        return trial
    line = Line(_STEPS[trial.step].title, "The worker stopped before this step ended.", worked=False)
    rest = "delete" if trial.person or len(trial.keys) > 1 else _OVER
    return replace(trial, step=rest, lines=(*trial.lines, line))


def _find_account(client: DirectoryClient, trial: Trial) -> tuple[Trial, str]:
    person = client.find_person(trial.email)
    if person is None:
        raise PermanentError(f"{trial.email} was not found in the directory.", reason="Unknown")
    if not person.active:
        raise PermanentError(f"The account {trial.email} is deactivated in the directory.", reason="Inactive")
    return replace(trial, person=person), f"{person.email} is {person.username or person.id}."


def _create(client: DirectoryClient, trial: Trial) -> tuple[Trial, str]:
    key = trial.keys[0]
    return replace(trial, group=client.create_group(key, _account(trial))), f"{key.name} was created."


def _find(client: DirectoryClient, trial: Trial) -> tuple[Trial, str]:
    if client.find_group(trial.keys[0]) != trial.group:
        raise TemporaryError("The directory does not show the new group.", reason="NotSeen")
    return trial, "Found by its name, and it belongs to the portal."


def _add(client: DirectoryClient, trial: Trial) -> tuple[Trial, str]:
    client.add_members(trial.group, [_account(trial)])
    return trial, "Adding a member a second time works."


def _read(client: DirectoryClient, trial: Trial) -> tuple[Trial, str]:
    shown = _expect(client, trial, {_account(trial).id})
    return trial, "The account is the only member." if shown else _HIDDEN


def _remove(client: DirectoryClient, trial: Trial) -> tuple[Trial, str]:
    client.remove_members(trial.group, [_account(trial).id])
    shown = _expect(client, trial, set())
    return trial, "The group has no members." if shown else _HIDDEN


def _explore(client: DirectoryClient, trial: Trial) -> tuple[Trial, str]:
    """What the server can do; nothing for a kind of directory whose servers do not differ."""
    return trial, " ".join(client.explore()) if isinstance(client, Explores) else ""


def _delete(client: DirectoryClient, trial: Trial) -> tuple[Trial, str]:
    """Delete also a group that was created by a call whose answer got lost, and those of a test that stopped."""
    deleted = [key for key in trial.keys if _deleted(client, key, trial.group if key is trial.keys[0] else "")]
    return trial, f"{', '.join(key.name for key in deleted)} deleted." if deleted else "There is no group to delete."


def _deleted(client: DirectoryClient, key: GroupKey, group: str) -> bool:
    found = group or client.find_group(key)
    if not found:
        return False
    client.delete_group(found)
    if client.find_group(key):
        raise TemporaryError("The directory still shows the group.", reason="NotSeen")
    return True


def _account(trial: Trial) -> Person:
    if trial.person is None:
        raise PermanentError("The account was not found.", reason="Unknown")
    return trial.person


def _expect(client: DirectoryClient, trial: Trial, wanted: set[str]) -> bool:
    """Whether the directory shows these members; False if it never shows any. Raises TemporaryError (NotSeen)."""
    try:
        seen = client.members(trial.group)
    except PermanentError as error:
        if error.reason != "MembersHidden":
            raise
        return False
    if seen != wanted:
        raise TemporaryError("The directory does not show the members as they were set.", reason="NotSeen")
    return True


class _Step(NamedTuple):
    title: str
    do: Callable[[DirectoryClient, Trial], tuple[Trial, str]]


_STEPS = {
    "find_account": _Step("Find the account", _find_account),
    "create": _Step("Create a group with the account in it", _create),
    "find": _Step("Find the group", _find),
    "add": _Step("Add the account again", _add),
    "read": _Step("Read the members", _read),
    "remove": _Step("Remove the account", _remove),
    "explore": _Step("Find out what the server can do", _explore),
    "delete": _Step("Delete the group", _delete),
}
