"""Requests that need approval: nothing is made before it, somebody always can decide, and two decisions are one."""

import copy
import uuid
from datetime import timedelta

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from environments import actions, tasks
from environments import spec as template_spec
from environments.actions import approvals, deciders, memberships, placement
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Condition, Environment, Event, Team, TemplateVersion, User
from environments.models.changes import number_to_decide
from environments.routine import lifetimes
from environments.spec import InvalidSpecError
from tests.makers import SPEC, person, spec_needing_approval

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]

STATE = TemplateVersion.State


@pytest.fixture
def decide(django_capture_on_commit_callbacks):
    """Decide as pages do; the refusal's sentence, empty where there was none."""

    def decide(verb, environment, actor, note=""):
        try:
            with django_capture_on_commit_callbacks(execute=True):
                getattr(approvals, verb)(environment, actor, note)
        except ValidationError as error:
            return " ".join(error.messages)
        except PermissionDenied as error:
            return str(error)
        finally:
            environment.refresh_from_db()
        return ""

    return decide


class TestTheTemplate:
    @pytest.mark.parametrize(
        ("approval", "size_approval", "expected"),
        [
            (False, False, []),
            (False, True, ["large"]),
            (True, False, ["small", "medium", "large"]),
            (True, True, "all"),
        ],
    )
    def test_says_which_sizes_need_it(self, approval, size_approval, expected):
        data = copy.deepcopy(SPEC) | {"approval": approval}
        data["sizes"][2]["approval"] = size_approval
        spec = template_spec.parse(data)
        names = [size.name for size in spec.sizes]
        assert [name for name in names if spec.needs_approval(name)] == (names if expected == "all" else expected)
        assert spec.needs_approval("") is approval
        assert [size.name for size in spec.approval_sizes()] == (["large"] if size_approval and not approval else [])

    def test_content_that_knows_no_approvals_needs_none(self):
        stored = template_spec.dump(template_spec.parse(SPEC))
        assert not any("approval" in part for part in (stored, *stored["sizes"])), "a portal of before reads this too"
        assert not any(template_spec.parse(stored).needs_approval(size["name"]) for size in stored["sizes"])

    @pytest.mark.parametrize("value", ["perhaps", "", None, 7])
    def test_a_value_that_is_no_yes_or_no_is_refused_at_its_place(self, value):
        spec = spec_needing_approval()
        spec["sizes"][1]["approval"] = value
        with pytest.raises(InvalidSpecError) as refusal:
            template_spec.parse(spec)
        assert [place for place, _ in refusal.value.problems] == [("sizes", 1, "approval")]


class TestARequestThatNeedsIt:
    def test_is_stored_like_any_other_but_nothing_is_owed(self, request_large, enqueued, dana, theo):
        environment = request_large(collaborators={"theo@example.com": Role.VIEWER})
        assert environment.phase == Phase.AWAITING_APPROVAL
        assert environment.requested_at == environment.created_at
        assert environment.ends_at is None  # its life has not begun
        assert environment.members.count() == 2
        assert environment.groups.count() == 2
        assert environment.reserved_cpu == 4
        assert not Environment.objects.owed().exists()
        assert enqueued.environments == []
        event = environment.events.get()
        assert (event.kind, event.actor, event.notice_owed) == ("Requested", dana, True)

    def test_is_not_owed_to_a_worker_that_knows_no_approvals(self, request_large):
        """The version before looks at generations and times alone; it may run beside this one."""
        environment = request_large()
        assert environment.observed_generation == environment.generation
        assert environment.next_reconcile_at is None

    def test_stays_unmade_whatever_is_done_to_it(self, request_large, dana, theo, enqueued, make_template):
        environment = request_large()
        memberships.add_members(environment, dana, ["theo@example.com"], Role.VIEWER)
        actions.try_again(environment, dana)
        for refused in (
            lambda: memberships.hand_over(environment, dana, theo.email, keep=None),
            lambda: actions.extend_environment(environment, dana),
            lambda: actions.move_environment(environment, environment.version, dana),
        ):
            with pytest.raises(ValidationError):
                refused()
        tasks.sweep()
        tasks.end_environments()
        environment.refresh_from_db()
        assert environment.phase == Phase.AWAITING_APPROVAL
        assert environment.owner == dana
        assert not Environment.objects.owed().exists()

    def test_counts_against_limits_and_what_is_reserved(self, request_large, version_with_approval, dana, cluster):
        version_with_approval.template.per_person = 1
        version_with_approval.template.save()
        request_large()
        with pytest.raises(ValidationError, match="1 of at most 1"):
            request_large()
        other = Cluster.objects.create(slug="other", name="Other", server="https://other.example.com")
        assert placement.least_reserved(Cluster.objects.all()) == other

    def test_the_same_form_twice_is_one_request(self, request_large):
        key = uuid.uuid4()
        assert request_large(key=key) == request_large(key=key)
        assert Event.objects.count() == 1

    @pytest.mark.parametrize("size", ["small", "medium"])
    def test_another_size_goes_its_way_at_once(self, request_large, enqueued, size):
        environment = request_large(size=size)
        assert environment.phase == Phase.PROVISIONING
        assert environment.requested_at is None
        assert environment.ends_at - environment.created_at == timedelta(days=30)
        assert enqueued.environments == [str(environment.pk)]
        assert not environment.events.get().notice_owed


@pytest.fixture
def everybody(dana, theo, max_manager, ada, sam):
    """The cast, Erik (a second platform admin) and Mia (the manager of another team)."""
    mia = person("mia", "Mia", is_manager=True)
    Team.objects.get(name="Search").managers.add(mia)
    erik = person("erik", "Erik", is_superuser=True)
    return {"dana": dana, "theo": theo, "max": max_manager, "ada": ada, "sam": sam, "mia": mia, "erik": erik}


class TestWhoDecides:
    @pytest.mark.parametrize(
        ("owner", "asked_for", "may", "named"),
        [
            ("dana", "Checkout", {"max", "ada", "erik"}, "Max Example (manager of Checkout)"),
            ("dana", None, {"ada", "erik"}, "Ada Example or Erik Example (platform admins)"),
            ("dana", "Search", {"mia", "ada", "erik"}, "Mia Example (manager of Search)"),
            ("max", "Checkout", {"ada", "erik"}, "Ada Example or Erik Example (platform admins)"),
            ("ada", None, {"erik"}, "Erik Example (platform admin)"),
            ("ada", "Checkout", {"max", "erik"}, "Max Example (manager of Checkout)"),
        ],
    )
    def test_managers_of_the_team_and_platform_admins_never_oneself(
        self, request_large, everybody, owner, asked_for, may, named
    ):
        environment = request_large(everybody[owner], team=asked_for and Team.objects.get(name=asked_for))
        decidable = {
            name
            for name, user in everybody.items()
            if Environment.objects.decidable_by(user).filter(pk=environment.pk).exists()
        }
        assert decidable == may
        counted = {name: number_to_decide(user) for name, user in everybody.items()}
        assert counted == {name: int(name in may) for name in everybody}
        assert str(deciders.of(environment)) == named
        assert {user.username for user in deciders.of(environment).people} <= may

    def test_a_platform_admin_decides_on_their_own_where_nobody_else_can(self, request_large, ada, decide):
        environment = request_large(ada, team=None)
        assert str(deciders.of(environment)) == "Ada Example (platform admin)"
        assert number_to_decide(ada) == 1
        assert decide("approve", environment, ada) == ""
        message = "Ada Example approved the request. This was their own request; no one else could decide."
        assert environment.events.first().message == message

    @pytest.mark.parametrize("gone", ["inactive", "no manager any more"])
    def test_a_manager_who_left_is_neither_named_nor_asked(self, request_large, max_manager, ada, decide, gone):
        environment = request_large()
        change = {"is_active": False} if gone == "inactive" else {"is_manager": False}
        User.objects.filter(pk=max_manager.pk).update(**change)
        assert deciders.of(environment).people == (ada,)

    def test_many_are_counted(self, request_large, max_manager, team):
        for name in ("Anna", "Bert", "Carl"):
            team.managers.add(person(name.lower(), name, is_manager=True))
        words = str(deciders.of(request_large()))
        assert words == "Anna Example, Bert Example or 2 more (managers of Checkout)"

    def test_without_anybody_it_is_said(self, request_large):
        assert str(deciders.of(request_large())) == "a platform admin (there is none yet)"

    @pytest.mark.parametrize("name", ["dana", "theo", "sam", "mia"])
    @pytest.mark.parametrize("verb", ["approve", "reject"])
    def test_others_change_nothing(self, request_large, everybody, decide, name, verb):
        environment = request_large()
        assert decide(verb, environment, everybody[name], "Because.") == "You can't decide on this request."
        assert environment.phase == Phase.AWAITING_APPROVAL
        assert environment.decided_by is None


class TestApproving:
    def test_sets_it_going_and_its_life_begins(self, request_large, max_manager, decide, enqueued):
        environment = request_large()
        with time_machine.travel(timezone.now() + timedelta(days=3), tick=False):
            assert decide("approve", environment, max_manager, "  For the sale.  ") == ""
            now = timezone.now()
        assert environment.phase == Phase.PROVISIONING
        assert (environment.decided_by, environment.decision_note) == (max_manager, "For the sale.")
        assert environment.created_at == environment.decided_at == now
        assert environment.requested_at < environment.created_at
        assert environment.ends_at == now + timedelta(days=30)
        assert enqueued.environments == [str(environment.pk)]
        assert Environment.objects.owed().get() == environment
        event = environment.events.first()
        assert event.message == "Max Example approved the request: For the sale."
        assert (event.kind, event.actor, event.notice_owed) == ("Approved", max_manager, True)
        assert lifetimes.notice_due(environment, now) is None
        with time_machine.travel(environment.ends_at - timedelta(days=5)):
            assert environment.extended_end() is not None

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda e: TemplateVersion.objects.update(state=STATE.RETIRED), "Namespace has been retired"),
            (lambda e: e.version.template.teams.add(Team.objects.create(name="X", group="x")), "may no longer request"),
            (lambda e: Cluster.objects.update(accepts_new=False), "accepts no new environments"),
            (lambda e: Cluster.objects.update(lost_at=timezone.now()), "accepts no new environments"),
            (lambda e: User.objects.filter(pk=e.owner.pk).update(is_active=False), "is deactivated"),
        ],
        ids=["template retired", "template of another team", "cluster closed", "cluster lost", "requester gone"],
    )
    def test_what_cannot_be_made_any_more_is_said_and_nothing_changes(
        self, request_large, max_manager, decide, enqueued, change, sentence
    ):
        environment = request_large()
        change(environment)
        assert sentence in decide("approve", environment, max_manager)
        assert environment.phase == Phase.AWAITING_APPROVAL
        assert environment.decided_at is None
        assert environment.events.count() == 1
        assert enqueued.environments == []

    def test_content_that_cannot_be_read_any_more_is_said(self, request_large, max_manager, decide):
        environment = request_large()
        Environment.objects.filter(pk=environment.pk).update(spec={"odd": 1})
        environment.refresh_from_db()
        assert "cannot be read" in decide("approve", environment, max_manager)
        assert decide("reject", environment, max_manager, "Ask again.") == ""

    def test_a_newer_version_is_in_nobodys_way(self, request_large, max_manager, decide, version_with_approval):
        environment = request_large()
        TemplateVersion.objects.filter(pk=version_with_approval.pk).update(state=STATE.RETIRED)
        content = {"number": 2, "state": STATE.PUBLISHED, "spec": version_with_approval.spec}
        TemplateVersion.objects.create(template=version_with_approval.template, **content)
        assert decide("approve", environment, max_manager) == ""


class TestRejecting:
    def test_ends_it_with_the_reason(self, request_large, max_manager, decide, enqueued):
        environment = request_large()
        assert decide("reject", environment, max_manager, "Use the medium one.") == ""
        assert environment.phase == Phase.REJECTED
        assert not environment.wanted
        assert environment.deleted_at == environment.decided_at
        assert environment.is_settled
        assert not Condition.objects.exists()
        assert not Environment.objects.live().exists()
        assert not Environment.objects.owed().exists()
        assert enqueued.environments == []
        event = environment.events.first()
        assert event.message == "Max Example rejected the request: Use the medium one."
        assert event.notice_owed

    @pytest.mark.parametrize(
        ("verb", "note", "sentence"),
        [
            ("reject", "", "Tell the requester why."),
            ("reject", "  \n ", "Tell the requester why."),
            ("reject", "x" * 501, "Use at most 500 characters; you entered 501."),
            ("approve", "x" * 501, "Use at most 500 characters; you entered 501."),
        ],
    )
    def test_a_note_is_needed_and_has_an_end(self, request_large, max_manager, decide, verb, note, sentence):
        environment = request_large()
        assert decide(verb, environment, max_manager, note) == sentence
        assert environment.phase == Phase.AWAITING_APPROVAL

    def test_there_is_room_for_another_request_afterwards(
        self, request_large, max_manager, version_with_approval, decide
    ):
        version_with_approval.template.per_person = 1
        version_with_approval.template.save()
        decide("reject", request_large(), max_manager, "No.")
        assert request_large().awaits_approval


class TestTwoAtOnce:
    @pytest.mark.parametrize("second", ["approve", "reject"])
    @pytest.mark.parametrize(("first", "word"), [("approve", "approved"), ("reject", "rejected")])
    def test_the_second_decision_gets_a_sentence(self, request_large, max_manager, ada, decide, first, word, second):
        environment = request_large()
        stale = Environment.objects.get(pk=environment.pk)  # as the other's page showed it
        assert decide(first, environment, max_manager, "First.") == ""
        assert decide(second, stale, ada, "Second.") == f"Max Example has already {word} the request “Ranking”."
        assert stale.decision_note == "First."
        assert environment.events.filter(kind__in=(Activity.APPROVED, Activity.REJECTED)).count() == 1

    def test_what_was_withdrawn_is_not_decided(self, request_large, dana, max_manager, decide):
        environment = request_large()
        stale = Environment.objects.get(pk=environment.pk)
        actions.withdraw_request(environment, dana)
        assert decide("approve", stale, max_manager) == "The request “Ranking” was withdrawn a moment ago."
        assert stale.phase == Phase.WITHDRAWN

    def test_what_was_decided_is_not_withdrawn(self, request_large, dana, max_manager, decide):
        environment = request_large()
        decide("approve", environment, max_manager)
        with pytest.raises(ValidationError, match="already decided on this request"):
            actions.withdraw_request(environment, dana)
        environment.refresh_from_db()
        assert environment.wanted


class TestWithdrawing:
    def test_leaves_nothing_to_remove(self, request_large, dana, theo, enqueued):
        environment = request_large()
        memberships.add_members(environment, dana, ["theo@example.com"], Role.VIEWER)
        enqueued.messages.clear()
        actions.withdraw_request(environment, dana)
        environment.refresh_from_db()
        assert (environment.phase, environment.wanted) == (Phase.WITHDRAWN, False)
        assert environment.is_settled
        assert environment.deleted_at
        assert environment.events.first().message == "Dana Example withdrew the request."
        assert not Environment.objects.owed().exists()

    def test_is_what_deleting_one_means(self, request_large, dana):
        environment = request_large()
        actions.delete_environment(environment, dana, typed_name="Ranking")
        environment.refresh_from_db()
        assert environment.phase == Phase.WITHDRAWN
        assert environment.events.first().message == "Dana Example requested deletion."

    def test_keeps_the_reason(self, request_large, dana):
        environment = request_large()
        actions.withdraw_request(environment, dana, "Theo has one. " + "x" * 500)
        event = environment.events.first()
        assert event.message.startswith("Dana Example withdrew the request: Theo has one.")
        assert event.data == {"note": "Theo has one. " + "x" * 500}
        assert not event.notice_owed

    def test_comes_too_late_after_a_decision(self, request_large, dana, max_manager, decide):
        environment = request_large()
        decide("approve", environment, max_manager)
        with pytest.raises(ValidationError, match="already decided on this request"):
            actions.withdraw_request(environment, dana, "Theo has one.")
        environment.refresh_from_db()
        assert environment.phase == Phase.PROVISIONING
        assert not environment.events.filter(kind=Activity.WITHDRAWN).exists()

    def test_happens_by_itself_where_the_cluster_is_gone_for_good(self, request_large):
        environment = request_large()
        Cluster.objects.update(lost_at=timezone.now())
        tasks.end_stranded()
        environment.refresh_from_db()
        assert environment.phase == Phase.WITHDRAWN
        assert "marked its cluster as lost" in environment.events.first().message
