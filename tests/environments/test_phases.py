"""Phases move as the table says, and in one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from environments import actions
from environments.lib.activity import Activity
from environments.lib.phases import MOVES, OVER, Phase
from environments.models import Environment
from environments.reconcile import lease as lifecycle

#: Every pair: a line for each phase before, a column for each phase after (the initials below). `x` is legal.
_LEGAL = """
                      A P R G F D E J W
Waiting for approval  . x . . . . . x x
Provisioning          . x x . x x . . .
Ready                 . . x x x x . . .
Degraded              . . x x x x . . .
Failed                . x x x x x x . .
Deleting              . . . . x x x . .
Deleted               . . . . x x x . .
Rejected              . . . . . . . . .
Withdrawn             . . . . . . . . .
"""
_INITIALS = {
    "A": Phase.AWAITING_APPROVAL,
    "P": Phase.PROVISIONING,
    "R": Phase.READY,
    "G": Phase.DEGRADED,
    "F": Phase.FAILED,
    "D": Phase.DELETING,
    "E": Phase.DELETED,
    "J": Phase.REJECTED,
    "W": Phase.WITHDRAWN,
}


def pairs() -> Iterator[tuple[Phase, Phase, bool]]:
    heading, *lines = _LEGAL.strip("\n").splitlines()
    for line in lines:
        before, marks = Phase(line[:21].strip()), line[21:].split()
        for initial, mark in zip(heading.split(), marks, strict=True):
            yield before, _INITIALS[initial], mark == "x"


def test_the_table_has_every_pair():
    assert {(before, after) for before, after, _ in pairs()} == {(one, other) for one in Phase for other in Phase}
    assert set(MOVES) == set(Phase)


@pytest.mark.parametrize(("before", "after", "is_legal"), list(pairs()))
def test_only_legal_moves_change_a_row(make_environment, before, after, is_legal):
    environment = make_environment(phase=before)
    now = timezone.now()
    assert Environment.objects.filter(pk=environment.pk).move_to(after, decided_at=now) == int(is_legal)
    environment.refresh_from_db()
    assert (environment.phase, environment.decided_at) == ((after, now) if is_legal else (before, None))


def test_of_many_rows_those_move_that_may(make_environment):
    ready, rejected = make_environment(), make_environment(phase=Phase.REJECTED)
    assert Environment.objects.move_to(Phase.DELETING) == 1
    assert dict(Environment.objects.values_list("pk", "phase")) == {
        ready.pk: Phase.DELETING,
        rejected.pk: Phase.REJECTED,
    }


def test_nothing_that_is_over_begins_again():
    alive = {Phase.AWAITING_APPROVAL, Phase.PROVISIONING, Phase.READY, Phase.DEGRADED}
    assert all(not MOVES[phase] & alive for phase in OVER)


def test_a_result_that_cannot_follow_is_not_written_down(make_environment):
    environment = make_environment(phase=Phase.READY, wanted=False, generation=2)
    lease = lifecycle.take_lease(environment.pk)
    with pytest.raises(lifecycle.IllegalMoveError):
        lifecycle.settle(lease, phase=Phase.DELETED, next_reconcile_at=None)
    environment.refresh_from_db()
    assert (environment.phase, environment.deleted_at, environment.observed_generation) == (Phase.READY, None, 1)


@pytest.mark.parametrize("change", [{"ready_at": timezone.now()}, {"wanted": False}])
def test_a_check_asked_for_on_an_old_page_leaves_the_phase_alone(make_environment, change):
    old_page = make_environment(phase=Phase.FAILED)
    Environment.objects.filter(pk=old_page.pk).update(**change)
    actions.try_again(old_page, old_page.owner)
    assert Environment.objects.get().phase == Phase.FAILED
    assert old_page.events.filter(kind=Activity.CHECK_REQUESTED).exists()


#: The writes of a phase that are no `move_to`: `move_to` itself, and the first phase of a new row.
_KNOWN = {
    ("environments/models/environments.py", "move_to"),
    ("environments/models/environments.py", "move_each"),
    ("environments/actions/rows.py", "_have_it_wait"),
}
_WRITING_CALLS = {"update", "create", "acreate", "get_or_create", "update_or_create", "Environment", "dict"}


def test_every_write_of_a_phase_in_the_product_goes_through_move_to():
    """By the syntax tree: keywords, dictionaries, attributes, names of fields. Names built at run time stay unseen."""
    found = {
        (str(path.relative_to(settings.BASE_DIR)), function.name)
        for room in ("environments", "portal")
        for path in Path(settings.BASE_DIR, room).rglob("*.py")
        if "migrations" not in path.parts and "simulated" not in path.parts  # those are phases of Kubernetes' objects
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_writes_phase, ast.walk(function)))
    }
    assert found == _KNOWN


@pytest.mark.parametrize(
    ("code", "writes"),
    [
        ("rows.update(phase=Phase.READY)", True),
        ("Environment(phase=phase)", True),
        ("changes = {'phase': Phase.READY}", True),
        ("changes['phase'] = Phase.READY", True),
        ("row.phase = Phase.READY", True),
        ("row.save(update_fields=['phase'])", True),
        ("Environment.objects.bulk_update(rows, ['name', 'phase'])", True),
        ("setattr(row, 'phase', Phase.READY)", True),
        ("rows.filter(phase=Phase.READY)", False),
        ("row.phase == Phase.READY", False),
        ("rows.move_to(Phase.READY)", False),
        ("rows.values_list('phase')", False),
    ],
)
def test_the_search_knows_a_write(code, writes):
    assert any(map(_writes_phase, ast.walk(ast.parse(code)))) is writes


def _writes_phase(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            by_keyword = name in _WRITING_CALLS and any(keyword.arg == "phase" for keyword in node.keywords)
            by_name = name in ("bulk_update", "save", "setattr", "bulk_create") and _names_phase(node)
            return by_keyword or by_name
        case ast.Dict():
            return any(_is_word(key) for key in node.keys)
        case ast.Attribute(attr="phase", ctx=ast.Store()):
            return True
        case ast.Subscript(slice=key, ctx=ast.Store()):
            return _is_word(key)
        case _:
            return False


def _names_phase(call: ast.Call) -> bool:
    return any(_is_word(node) for node in ast.walk(call))


def _is_word(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value == "phase"
