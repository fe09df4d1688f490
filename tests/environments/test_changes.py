"""Changes of an environment that is there: another size, another version, a later end; and the decisions on them."""

import copy
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from environments import actions
from environments.actions import changes, ends, moving, resizing
from environments.actions.guards import EndedError
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import Change, ChangeState, Environment
from environments.routine import lifetimes
from tests.makers import SPEC, spec_needing_approval

ANSWERS = {"cost_centre": "1040"}


@pytest.fixture
def version(make_template):
    return make_template("ranking", spec=spec_needing_approval())


@pytest.fixture
def environment(make_environment, version):
    return make_environment(
        name="Ranking",
        version=version,
        spec=version.spec,
        size="medium",
        parameters=ANSWERS,
        usage={"requests.cpu": ["700m", "1"], "pods": ["3", "50"]},
    )


def stored(environment) -> Environment:
    return Environment.objects.get(pk=environment.pk)


def fields(refused) -> dict[str, str]:
    return {name: " ".join(errors) for name, errors in refused.value.message_dict.items()}


# Another size


def test_a_smaller_size_is_granted_at_once(environment, dana, enqueued, django_capture_on_commit_callbacks):
    Environment.objects.filter(pk=environment.pk).update(usage={"requests.cpu": ["100m", "1"]})
    environment.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        change = resizing.resize(environment, dana, "small", ANSWERS)
    row = stored(environment)
    assert (row.size, row.generation, str(row.reserved_cpu)) == ("small", environment.generation + 1, "0.500")
    assert (change.state, change.grounds) == (ChangeState.APPLIED, resizing.SMALLER)
    assert change.figures == [
        ["size", "Medium", "Small"],
        ["CPU requests", "1 core", "500m"],
        ["Memory requests", "2 GiB", "1 GiB"],
        ["Pods", "50", "25"],
    ]
    assert enqueued.environments == [str(environment.pk)]
    line = row.events.get(kind=Activity.SIZE_CHANGED)
    assert line.message.startswith(
        "Dana Example changed the size: size Small, was Medium; CPU requests 500m, was 1 core"
    )
    assert not line.notice_owed


def test_below_what_is_used_needs_a_tick(environment, dana):
    with pytest.raises(ValidationError) as refused:
        resizing.resize(environment, dana, "small", ANSWERS)
    assert fields(refused) == {
        "below_use": "More is used than this allows (CPU requests). Tick the box to go on: running pods stay, "
        "new ones are rejected."
    }
    assert stored(environment).size == "medium"
    resizing.resize(environment, dana, "small", ANSWERS, below_use=True)
    assert stored(environment).size == "small"


def test_a_larger_size_that_needs_no_approval(environment, dana):
    Environment.objects.filter(pk=environment.pk).update(size="small")
    change = resizing.resize(stored(environment), dana, "medium", ANSWERS)
    assert (change.state, change.grounds) == (ChangeState.APPLIED, resizing.NO_APPROVAL)


def test_a_larger_size_waits_for_the_approval(environment, dana, max_manager, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        change = resizing.resize(environment, dana, "large", ANSWERS, reason=" Load tests in May. ")
    row = stored(environment)
    assert (row.size, row.generation) == ("medium", environment.generation)
    assert not callbacks
    assert (change.state, change.reason, change.before["size"]) == (ChangeState.WAITING, "Load tests in May.", "medium")
    assert row.events.get(kind=Activity.CHANGE_REQUESTED).notice_owed
    assert list(Change.objects.decidable_by(max_manager).waiting()) == [change]


def test_an_approved_change_is_carried_out(
    environment, dana, max_manager, enqueued, django_capture_on_commit_callbacks
):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    with django_capture_on_commit_callbacks(execute=True):
        changes.approve(change, max_manager, "Until June.")
    row = stored(environment)
    assert (row.size, row.generation, str(row.reserved_cpu)) == ("large", environment.generation + 1, "4.000")
    change.refresh_from_db()
    assert (change.state, change.decided_by, change.note) == (ChangeState.APPLIED, max_manager, "Until June.")
    line = row.events.get(kind=Activity.CHANGE_APPROVED)
    assert line.message.endswith("Memory requests 4 GiB, was 2 GiB; and 1 more figure): Until June.")
    assert line.data["asked"] == [dana.email]
    assert enqueued.environments == [str(environment.pk)]


def test_a_rejection_says_why_and_changes_nothing(environment, dana, max_manager):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    with pytest.raises(ValidationError) as refused:
        changes.reject(change, max_manager, " ")
    assert refused.value.code == "note"
    changes.reject(change, max_manager, "Use two small ones.")
    assert (stored(environment).size, Change.objects.get().state) == ("medium", ChangeState.REJECTED)
    with pytest.raises(ValidationError, match="Max Example has already rejected this change of Ranking") as refused:
        changes.approve(change, max_manager)
    assert refused.value.code == changes.OVERTAKEN


def test_one_open_change_of_a_kind(environment, dana):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    for size in ("large", "small"):
        with pytest.raises(ValidationError, match="Dana Example already requested a change of the size") as refused:
            resizing.resize(environment, dana, size, ANSWERS, below_use=True)
        assert refused.value.code == "open"
    changes.withdraw(change, dana)
    assert Change.objects.get(pk=change.pk).state == ChangeState.WITHDRAWN
    resizing.resize(environment, dana, "large", ANSWERS)


def test_other_answers_are_a_change_too(environment, dana):
    change = resizing.resize(environment, dana, "medium", {"cost_centre": "2050"})
    assert change.figures == [["Cost centre", "“1040”", "“2050”"]]
    assert stored(environment).parameters == {"cost_centre": "2050"}


@pytest.mark.parametrize(
    ("size", "answers", "at", "sentence"),
    [
        ("huge", ANSWERS, "size", "Choose one of small, medium, large."),
        ("", ANSWERS, "size", "Choose a size."),
        ("small", {"cost_centre": "12"}, "p_cost_centre", "“12” does not match"),
        ("small", {"cost_centre": ""}, "p_cost_centre", "Enter a value"),
        ("small", ANSWERS | {"colour": "red"}, "p_colour", "This template has no parameter “colour”."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(environment, dana, size, answers, at, sentence):
    with pytest.raises(ValidationError) as refused:
        resizing.resize(environment, dana, size, answers)
    assert list(fields(refused)) == [at]
    assert sentence in fields(refused)[at] or at == "p_cost_centre"
    assert not Change.objects.exists()


def test_nothing_changed(environment, dana):
    with pytest.raises(ValidationError, match=r"Choose another size, or change an answer\."):
        resizing.resize(environment, dana, "medium", ANSWERS)


def test_a_size_of_another_team(make_template, make_environment, dana):
    spec = copy.deepcopy(SPEC)
    spec["sizes"][1]["teams"] = spec["sizes"][2]["teams"] = ["Payments"]
    version = make_template("teams", spec=spec)
    row = make_environment(name="Own", version=version, spec=version.spec, size="medium", parameters=ANSWERS)
    with pytest.raises(ValidationError) as refused:
        resizing.resize(row, dana, "large", ANSWERS)
    assert fields(refused) == {"size": "This size is only for members of Payments. Choose another one."}
    resizing.resize(row, dana, "medium", {"cost_centre": "2050"})  # the size that it has


def test_the_page_was_out_of_date(environment, dana):
    seen = stored(environment)
    Environment.objects.filter(pk=environment.pk).update(size="small")
    with pytest.raises(ValidationError, match="has changed"):
        resizing.resize(seen, dana, "large", ANSWERS)


def test_only_who_may_change_it_and_never_what_has_ended(environment, theo, dana, max_manager):
    for person in (theo, max_manager):
        with pytest.raises(PermissionDenied):
            resizing.resize(environment, person, "large", ANSWERS)
    actions.delete_environment(environment, dana, typed_name="Ranking")
    with pytest.raises(EndedError):
        resizing.resize(environment, dana, "large", ANSWERS)


# Who decides


def test_who_decides(environment, dana, theo, sam, max_manager, ada, team):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    for person in (dana, theo, sam):
        assert not Change.objects.decidable_by(person).exists()
        with pytest.raises(PermissionDenied):
            changes.approve(change, person)
    assert Change.objects.decidable_by(max_manager).get() == Change.objects.decidable_by(ada).get() == change
    assert not Change.objects.visible_to(sam).exists()
    assert Change.objects.visible_to(theo).get() == change


def test_nobody_decides_on_what_they_asked_for(environment, ada, max_manager):
    change = resizing.resize(environment, ada, "large", ANSWERS)
    assert not Change.objects.decidable_by(ada).exists()
    with pytest.raises(PermissionDenied):
        changes.approve(change, ada)
    changes.approve(change, max_manager)


def test_a_platform_admin_who_is_alone_decides(environment, ada):
    change = resizing.resize(environment, ada, "large", ANSWERS)
    changes.approve(change, ada)
    assert stored(environment).size == "large"


def test_whoever_asked_has_left(environment, dana, max_manager):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    type(dana).objects.filter(pk=dana.pk).update(is_active=False)
    with pytest.raises(ValidationError, match=r"Dana Example may no longer change Ranking\. Reject the change\."):
        changes.approve(change, max_manager)


def test_it_is_no_longer_possible(environment, dana, max_manager):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    spec = copy.deepcopy(environment.spec)
    spec["sizes"] = spec["sizes"][:2]
    Environment.objects.filter(pk=environment.pk).update(spec=spec)
    with pytest.raises(ValidationError, match=r"This is no longer possible: Choose one of small, medium\."):
        changes.approve(change, max_manager)
    assert Change.objects.get().is_open


def test_deleting_closes_what_waits(environment, dana, max_manager):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    actions.delete_environment(environment, dana, typed_name="Ranking")
    change.refresh_from_db()
    assert change.state == ChangeState.REPLACED
    assert environment.events.get(kind=Activity.CHANGE_CLOSED).data["asked"] == [dana.email]
    with pytest.raises(ValidationError):
        changes.approve(change, max_manager)


# Another version


@pytest.fixture
def larger_version(environment, version):
    spec = spec_needing_approval()
    spec["sizes"][1] |= {"approval": True, "quota": {"requests.cpu": "2", "requests.memory": "2Gi", "pods": "50"}}
    template = version.template
    template.versions.update(state="retired")
    return template.versions.create(number=2, state="published", spec=spec, published_at=timezone.now())


def test_a_move_that_needs_approval_is_asked_for(environment, larger_version, dana, max_manager):
    with pytest.raises(ValidationError, match=r"Version 2 needs approval\. Ask for approval\.") as refused:
        actions.move_environment(environment, larger_version, dana)
    assert refused.value.code == "approval"
    change = moving.ask_to_move(environment, larger_version, dana, reason="We need the second core.")
    assert change.figures == [["version", "1", "2"], ["CPU requests", "1 core", "2 cores"]]
    changes.approve(change, max_manager)
    row = stored(environment)
    assert (row.version, str(row.reserved_cpu)) == (larger_version, "2.000")


def test_a_move_closes_what_was_asked_for_before(environment, larger_version, dana, ada):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    actions.move_environment(environment, larger_version, ada)
    change.refresh_from_db()
    assert change.state == ChangeState.REPLACED
    assert "because it was moved to version 2" in environment.events.get(kind=Activity.CHANGE_CLOSED).message


def test_a_move_that_needs_no_approval_is_not_asked_for(environment, version, dana):
    with pytest.raises(ValidationError, match=r"This needs no approval\."):
        moving.ask_to_move(environment, version, dana)


# A later end


def test_a_later_end_waits_and_the_environment_does_not_end(environment, dana, max_manager):
    now = timezone.now()
    over = {"ends_at": now - timedelta(minutes=1), "noticed_at": now - timedelta(days=2)}
    Environment.objects.filter(pk=environment.pk).update(**over)
    assert lifetimes.may_end(stored(environment), now)
    last_day = (now + timedelta(days=60)).date()
    change = ends.ask_for_end(stored(environment), dana, last_day, reason="The trial takes longer.")
    assert not lifetimes.may_end(stored(environment), now)
    changes.approve(change, max_manager)
    row = stored(environment)
    assert row.ends_at == datetime(last_day.year, last_day.month, last_day.day, 23, 59, tzinfo=UTC)
    assert row.noticed_at is None


def test_a_rejected_end_lets_it_end(environment, dana, max_manager):
    now = timezone.now()
    over = {"ends_at": now - timedelta(minutes=1), "noticed_at": now - timedelta(days=2)}
    Environment.objects.filter(pk=environment.pk).update(**over)
    change = ends.ask_for_end(stored(environment), dana, (now + timedelta(days=60)).date(), reason="Longer.")
    changes.reject(change, max_manager, "No.")
    assert lifetimes.may_end(stored(environment), now)


@pytest.mark.parametrize(
    ("days", "sentence"),
    [(-3, "Choose a day after"), (5, "Choose a day after"), (4000, "Choose a day within the next 3650 days.")],
)
def test_an_end_that_cannot_be(environment, dana, days, sentence):
    Environment.objects.filter(pk=environment.pk).update(ends_at=timezone.now() + timedelta(days=10))
    with pytest.raises(ValidationError) as refused:
        ends.ask_for_end(stored(environment), dana, (timezone.now() + timedelta(days=days)).date(), reason="Why.")
    assert sentence in fields(refused)["last_day"]


def test_an_end_needs_a_reason_and_an_end(environment, dana):
    with pytest.raises(ValidationError) as refused:
        ends.ask_for_end(environment, dana, timezone.now().date(), reason="")
    assert fields(refused) == {"reason": "Tell the approvers why."}
    Environment.objects.filter(pk=environment.pk).update(ends_at=None)
    with pytest.raises(ValidationError, match="no end date"):
        ends.ask_for_end(stored(environment), dana, timezone.now().date(), reason="Why.")


def test_a_request_that_waits_is_not_changed(request_large, dana):
    asked = request_large(dana)
    assert asked.phase == Phase.AWAITING_APPROVAL
    with pytest.raises(ValidationError, match="waiting for approval"):
        resizing.resize(asked, dana, "small", ANSWERS)
