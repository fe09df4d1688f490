"""Stand-ins for absent managers: who can be one, on what they decide, for how long, and how that is recorded."""

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from environments import tasks
from environments.actions import approvals, deciders, stand_ins
from environments.lib.phases import Phase
from environments.models import Environment, StandIn, Team, User
from environments.models.stand_ins import today
from tests.makers import person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]

WEEK = timedelta(days=7)


@pytest.fixture
def tess(team):
    """A developer of the team, who asks for nothing."""
    user = person("tess", "Tess")
    team.members.add(user)
    return user


@pytest.fixture
def name(max_manager):
    """Name a stand-in for Max as himself, for a week."""

    def name(who, **more):
        more = {"absent": max_manager, "last_day": today() + WEEK, "actor": max_manager} | more
        row = stand_ins.name(person=who, **more)
        who.refresh_from_db()
        return row

    return name


def decides(user: User, environment: Environment) -> bool:
    user = User.objects.get(pk=user.pk)
    return Environment.objects.decidable_by(user).filter(pk=environment.pk).exists()


def codes(call) -> set[str]:
    with pytest.raises(ValidationError) as refusal:
        call()
    return set(refusal.value.error_dict) if hasattr(refusal.value, "error_dict") else {refusal.value.code}


class TestWhoCanBeOne:
    def test_who_sees_the_requests_of_a_team_of_the_managers(self, max_manager, tess, theo, sam, ada, team):
        mia = person("mia", "Mia", is_manager=True)
        Team.objects.get(name="Search").managers.add(mia)
        deputy = person("deputy", "Deputy", is_manager=True)
        team.managers.add(deputy)
        gone = person("gone", "Gone", is_active=False)
        team.members.add(gone)
        assert set(stand_ins.candidates(max_manager)) == {tess, theo, ada, deputy}

    def test_others_are_refused_at_the_field(self, name, sam, max_manager):
        assert codes(lambda: name(sam)) == {"person"}
        assert codes(lambda: name(max_manager)) == {"person"}
        assert not StandIn.objects.exists()

    @pytest.mark.parametrize("days", [-1, 181])
    def test_the_last_day_is_within_half_a_year(self, name, tess, days):
        assert codes(lambda: name(tess, last_day=today() + timedelta(days=days))) == {"last_day"}

    def test_who_manages_no_team_has_none(self, name, tess, ada):
        assert codes(lambda: name(tess, absent=ada, actor=ada)) == {"absent"}

    def test_only_the_manager_and_platform_admins_name_and_end_one(self, name, tess, theo, ada, max_manager):
        for actor in (tess, theo):
            with pytest.raises(PermissionDenied):
                name(tess, actor=actor)
        assert name(tess, actor=ada).named_by == ada
        for actor in (tess, theo):
            with pytest.raises(PermissionDenied):
                stand_ins.end(max_manager, actor)
        assert stand_ins.end(max_manager, ada).person == tess


class TestOnWhatTheyDecide:
    def test_on_the_teams_requests_until_the_end_of_the_last_day(self, request_large, name, tess):
        environment = request_large()
        assert not decides(tess, environment)
        row = name(tess)
        assert decides(tess, environment)
        with time_machine.travel(timezone.now() + WEEK):
            assert today() == row.last_day
            assert decides(tess, environment)
        with time_machine.travel(timezone.now() + WEEK + timedelta(days=1)):
            assert not decides(tess, environment)

    def test_never_on_their_own_nor_on_the_managers(self, request_large, name, tess, max_manager, team):
        mine, his = request_large(tess), request_large(max_manager)
        name(tess)
        team.members.add(tess)
        assert not decides(tess, mine)
        assert not decides(tess, his)
        for environment in (mine, his):
            with pytest.raises(PermissionDenied):
                approvals.approve(environment, User.objects.get(pk=tess.pk))

    def test_only_of_teams_whose_requests_they_see(self, request_large, name, tess, dana, max_manager):
        other = Team.objects.create(name="Other", group="team-other")
        other.managers.add(max_manager)
        theirs = request_large(dana, team=other)
        name(tess)
        assert not decides(tess, theirs)
        assert deciders.of(theirs).stand_ins == ()
        assert list(stand_ins.teams_of(StandIn.objects.get())) == [Team.objects.get(name="Checkout")]

    @pytest.mark.parametrize("change", ["ended", "replaced", "manager no more", "manager gone", "out of the team"])
    def test_no_longer_once_it_is_over(self, request_large, name, tess, theo, max_manager, team, change):
        environment = request_large()
        team.members.add(theo)
        name(tess)
        if change == "ended":
            stand_ins.end(max_manager, max_manager)
        elif change == "replaced":
            name(theo)
        elif change == "out of the team":
            team.members.remove(tess)
        else:
            field = {"manager no more": "is_manager", "manager gone": "is_active"}[change]
            User.objects.filter(pk=max_manager.pk).update(**{field: False})
        assert not decides(tess, environment)
        assert tess not in deciders.of(environment).stand_ins

    def test_a_stand_in_for_two_stays_one_when_one_is_over(self, request_large, name, tess, max_manager, team):
        deputy = person("deputy", "Deputy", is_manager=True)
        team.managers.add(deputy)
        environment = request_large()
        name(tess)
        name(tess, absent=deputy, actor=deputy)
        stand_ins.end(max_manager, max_manager)
        assert decides(tess, environment)
        assert StandIn.objects.filter(ended_at=None).count() == 1


class TestTheRecord:
    @pytest.mark.parametrize(("verb", "word"), [("approve", "approved"), ("reject", "rejected")])
    def test_says_that_they_decided_and_for_whom(self, request_large, name, tess, max_manager, verb, word):
        environment = request_large()
        name(tess)
        getattr(approvals, verb)(environment, tess, "Because.")
        environment.refresh_from_db()
        assert (environment.decided_by, environment.decided_for) == (tess, max_manager)
        event = environment.events.first()
        assert event.message == f"Tess Example {word} the request as the stand-in of Max Example: Because."
        assert event.data["stood_in_for"] == max_manager.email

    def test_a_manager_of_the_team_decides_in_their_own_right(self, request_large, name, team, max_manager):
        deputy = person("deputy", "Deputy", is_manager=True)
        team.managers.add(deputy)
        environment = request_large()
        name(deputy)
        approvals.approve(environment, deputy)
        environment.refresh_from_db()
        assert environment.decided_for is None
        assert environment.phase == Phase.PROVISIONING

    def test_names_them_where_a_request_waits_and_emails_them(self, request_large, name, tess, enqueued):
        enqueued.at_once.add(tasks.deliver_notices.name)
        name(tess)
        environment = request_large()
        assert str(deciders.of(environment)) == "Max Example (manager of Checkout) or Tess Example (stand-in)"
        tasks.sweep()
        assert sorted(mail.outbox[0].recipients()) == ["max@example.com", "tess@example.com"]

    def test_the_stand_in_gets_one_email_with_the_rule(self, name, tess):
        row = name(tess)
        tasks.tell_stand_ins()
        tasks.tell_stand_ins()
        (message,) = mail.outbox
        assert message.to == ["tess@example.com"]
        assert message.subject.endswith(f"You decide on requests for Max Example until {row.last_day:%-d %B %Y}")
        assert "you decide on requests of Checkout" in message.body
        assert "/approvals/" in message.body

    def test_rows_are_kept(self, name, tess, theo, max_manager, team):
        team.members.add(theo)
        first = name(tess)
        name(theo)
        stand_ins.end(max_manager, max_manager)
        first.refresh_from_db()
        assert (first.ended_by, StandIn.objects.count()) == (max_manager, 2)
        assert User.objects.get(pk=tess.pk).stands_in_until is None
        assert codes(lambda: stand_ins.end(max_manager, max_manager)) == {"none"}
