"""People get an email about their own access, and a removal can be undone before anyone has got one."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError

from environments import tasks
from environments.actions import memberships
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import Environment, Event, Letter

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 29, 10, 30, tzinfo=UTC)
THEO = "theo@example.com"


@pytest.fixture(autouse=True)
def traveller():
    with time_machine.travel(NOW, tick=False) as moving:
        yield moving


@pytest.fixture(autouse=True)
def work_at_once(enqueued):
    enqueued.at_once |= {tasks.deliver_notices.name, tasks.send_letter.name}


def work() -> None:
    """What beat starts."""
    tasks.sweep()
    tasks.send_letters()


def to() -> list[str]:
    return sorted(address for message in mail.outbox for address in message.recipients())


class TestBeingAdded:
    def test_is_emailed_with_the_role_and_the_way_in(self, make_environment, dana, theo):
        environment = make_environment(name="Checkout")
        memberships.add_members(environment, dana, [theo.email], Role.DEVELOPER)
        work()
        (message,) = mail.outbox
        assert message.recipients() == [theo.email]
        assert message.subject == "[Allotment] Your access to Checkout changed"
        assert "Dana Example gave you the role developer in the environment “Checkout”." in message.body
        assert f"/environments/{environment.namespace}/kubeconfig/" in message.body

    def test_is_emailed_only_to_people_for_whom_it_is_news(self, make_environment, dana, theo, max_manager):
        environment = make_environment(members={theo.email: Role.DEVELOPER, max_manager.email: Role.VIEWER})
        memberships.add_members(environment, dana, [theo.email, max_manager.email], Role.DEVELOPER)
        work()
        assert to() == [max_manager.email]

    def test_waits_for_the_email_that_the_environment_is_ready(self, make_environment, dana, theo):
        environment = make_environment(phase=Phase.PROVISIONING)
        memberships.add_members(environment, dana, [theo.email], Role.DEVELOPER)
        work()
        assert mail.outbox == []


class TestBeingRemoved:
    @pytest.fixture
    def environment(self, make_environment, dana, theo):
        environment = make_environment(name="Checkout", members={THEO: Role.DEVELOPER})
        assert memberships.remove_member(environment, dana, THEO)
        work()
        return environment

    def test_is_emailed_once_it_can_no_longer_be_undone(self, environment, traveller):
        assert mail.outbox == []
        traveller.move_to(NOW + memberships.UNDO)
        work()
        work()
        (message,) = mail.outbox
        assert message.recipients() == [THEO]
        assert "Dana Example removed you from the environment “Checkout”." in message.body
        assert "ask its owner: dana@example.com" in message.body
        assert environment.namespace not in message.body  # a page that they no longer see

    def test_can_be_undone_with_the_role_and_everything_else_about_the_access(self, environment, dana, traveller):
        ends = NOW + timedelta(hours=3)
        environment.members.filter(email=THEO).update(token_ends_at=ends)
        ((event, address),) = memberships.undoable(environment)
        generation = Environment.objects.get().generation
        traveller.move_to(NOW + memberships.UNDO - timedelta(seconds=1))
        assert memberships.undo_removal(environment, dana, event) == address == THEO
        member = environment.members.get(email=THEO)
        assert (member.wanted, member.role, member.token_ends_at) == (True, Role.DEVELOPER, ends)
        assert Environment.objects.get().generation == generation + 1
        newest = environment.events.first()
        assert (newest.actor, newest.kind, newest.data) == (
            dana,
            Activity.ACCESS_CHANGED,
            {"restored": [THEO], "role": "developer"},
        )
        assert memberships.undoable(environment) == []

    def test_and_added_again_is_not_emailed_at_all(self, environment, dana, traveller):
        memberships.undo_removal(environment, dana, memberships.undoable(environment)[0][0])
        traveller.move_to(NOW + timedelta(hours=1))
        work()
        assert (mail.outbox, Letter.objects.filter(sent_at=None).count()) == ([], 0)

    def test_is_undone_after_the_row_was_forgotten_too(self, environment, dana):
        environment.members.filter(email=THEO).delete()
        memberships.undo_removal(environment, dana, memberships.undoable(environment)[0][0])
        assert environment.members.get(email=THEO).role == Role.DEVELOPER

    @pytest.mark.parametrize("what", ["later", "twice", "another", "foreign", "deleted"])
    def test_is_not_undone_too_late_or_twice_or_for_another_event(
        self, environment, dana, theo, make_environment, traveller, what
    ):
        ((event, _),) = memberships.undoable(environment)
        if what == "later":
            traveller.move_to(NOW + memberships.UNDO)
        elif what == "twice":
            memberships.undo_removal(environment, dana, event)
        elif what == "another":
            event = environment.events.get(kind=Activity.REQUESTED).pk
        elif what == "foreign":
            environment = make_environment()
        else:
            Environment.objects.update(wanted=False)
        before = Event.objects.count()
        with pytest.raises(ValidationError, match=r"can no longer be undone|can't be changed"):
            memberships.undo_removal(environment, dana, event)
        assert Event.objects.count() == before

    def test_is_undone_only_to_a_role_that_the_template_still_allows(self, environment, dana):
        ((event, _),) = memberships.undoable(environment)
        spec = environment.spec | {"collaborator_roles": ["viewer"]}
        Environment.objects.update(spec=spec)
        with pytest.raises(ValidationError, match="Choose the role viewer"):
            memberships.undo_removal(environment, dana, event)

    def test_is_undone_only_by_people_who_may_change_members(self, environment, theo, max_manager):
        ((event, _),) = memberships.undoable(environment)
        for person in (theo, max_manager):
            with pytest.raises(PermissionDenied):
                memberships.undo_removal(environment, person, event)


def test_a_new_owner_gets_an_email_and_the_one_who_did_it_does_not(make_environment, dana, theo, ada):
    environment = make_environment(name="Checkout")
    memberships.hand_over(environment, dana, theo.email, keep=None)
    work()
    (message,) = mail.outbox
    assert (message.recipients(), message.subject) == ([theo.email], "[Allotment] Checkout has a new owner")
    assert "from dana@example.com to theo@example.com" in message.body
    mail.outbox.clear()
    memberships.hand_over(environment, ada, dana.email, keep=None)
    work()
    assert to() == ["dana@example.com", theo.email]


@pytest.mark.parametrize(("kind", "says"), [(Activity.EXPIRED, "expired and was deleted"), (None, "” was deleted")])
def test_all_members_get_an_email_when_an_environment_ends(make_environment, theo, kind, says):
    environment = make_environment(
        phase=Phase.DELETED, members={theo.email: Role.VIEWER, "out@example.com": Role.VIEWER}
    )
    environment.members.update(in_group=True)
    environment.members.filter(email="out@example.com").update(wanted=False)
    if kind:
        Event.record(environment, None, kind, "Expired as announced.")
    Event.record(environment, None, Activity.DELETED, "The namespace was deleted.")
    work()
    assert to() == ["dana@example.com", theo.email]
    assert says in mail.outbox[0].body
