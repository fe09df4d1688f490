"""Verbs ask who may by themselves, and what they refuse, also where no page asked before."""

import copy
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from environments import actions
from environments import spec as template_spec
from environments.actions import access_requests, access_tokens, approvals, details, memberships, questions
from environments.actions.guards import EndedError
from environments.lib.phases import Phase, Role
from environments.models import Environment, Event, TemplateVersion
from tests.makers import SPEC

VERBS = {
    "delete": lambda e, who: actions.delete_environment(e, who, typed_name=e.name),
    "withdraw": lambda e, who: actions.withdraw_request(e, who),
    "extend": lambda e, who: actions.extend_environment(e, who),
    "move": lambda e, who: actions.move_environment(e, e.version, who),
    "try again": lambda e, who: actions.try_again(e, who),
    "add": lambda e, who: memberships.add_members(e, who, [who.email], Role.DEVELOPER),
    "remove": lambda e, who: memberships.remove_member(e, who, e.owner.email),
    "hand over": lambda e, who: memberships.hand_over(e, who, who.email, keep=None),
    "approve": lambda e, who: approvals.approve(e, who),
    "reject": lambda e, who: approvals.reject(e, who, "No."),
    "ask": lambda e, who: questions.ask(e, who, "Why?"),
    "answer": lambda e, who: questions.answer(e, who, "So."),
    "leave": lambda e, who: memberships.leave(e, who),
    "details": lambda e, who: details.change(e, who, name="New", purpose="", team=None),
    "grant access": lambda e, who: access_requests.grant(e, who, who),
    "decline access": lambda e, who: access_requests.decline(e, who, who),
    "token": lambda e, who: access_tokens.issue(e, who, hours=1),
    "revoke": lambda e, who: access_tokens.revoke(e, who),
}


@pytest.mark.parametrize("name", ["theo", "max", "sam"])
@pytest.mark.parametrize("verb", VERBS)
def test_who_may_not_is_refused_and_nothing_changes(request, make_environment, theo, max_manager, sam, verb, name):
    person = {"theo": theo, "max": max_manager, "sam": sam}[name]
    environment = make_environment()  # theo and Max see it: it is their team's
    before = Environment.objects.values().get()
    with pytest.raises(PermissionDenied):
        VERBS[verb](environment, person)
    assert Environment.objects.values().get() == before
    assert Event.objects.count() == 1
    assert environment.members.count() == 1


@pytest.mark.parametrize("verb", ["delete", "extend", "try again"])
def test_a_platform_admin_may(make_environment, ada, verb):
    environment = make_environment(ends_at=timezone.now() + timedelta(days=5))
    VERBS[verb](environment, ada)
    assert environment.events.first().actor == ada


ENDING = {
    "delete": VERBS["delete"],
    "extend": VERBS["extend"],
    "try again": VERBS["try again"],
    "add": lambda e, who: memberships.add_members(e, who, ["theo@example.com"], Role.VIEWER),
    "remove": lambda e, who: memberships.remove_member(e, who, "theo@example.com"),
    "hand over": lambda e, who: memberships.hand_over(e, who, "theo@example.com", keep=None),
    "details": VERBS["details"],
    "decline access": VERBS["decline access"],
}


@pytest.mark.parametrize("verb", ENDING)
def test_a_record_is_not_changed_by_a_verb_either(make_environment, dana, theo, directory, verb):
    environment = make_environment(phase=Phase.DELETED, members={theo.email: Role.DEVELOPER})
    before = Environment.objects.values().get(), list(environment.members.values())
    with pytest.raises(EndedError, match="This environment was deleted and can't be changed"):
        ENDING[verb](environment, dana)
    assert (Environment.objects.values().get(), list(environment.members.values())) == before
    assert Event.objects.count() == 1


def test_nobody_asks_for_access_to_what_they_cannot_see_or_what_ended(make_environment, theo, sam):
    environment = make_environment()
    with pytest.raises(PermissionDenied):
        access_requests.ask(environment, sam)
    Environment.objects.update(phase=Phase.DELETED, wanted=False)
    with pytest.raises(EndedError):
        access_requests.ask(environment, theo)
    assert Event.objects.count() == 1


class TestHandingOver:
    def codes(self, environment, actor, heir) -> dict[str, list[str]]:
        with pytest.raises(ValidationError) as refusal:
            memberships.hand_over(environment, actor, heir.email, keep=None)
        owner = environment.owner
        environment.refresh_from_db()
        assert environment.owner == owner
        return {field: [error.code for error in errors] for field, errors in refusal.value.error_dict.items()}

    def test_not_beyond_the_heirs_limit(self, make_environment, dana, theo):
        environment = make_environment()
        environment.version.template.per_person = 1
        make_environment(theo)
        assert self.codes(environment, dana, theo) == {"address": ["limit"]}
        Environment.objects.filter(owner=theo).update(phase=Phase.DELETED)
        memberships.hand_over(environment, dana, theo.email, keep=None)
        assert environment.owner == theo

    def test_not_to_those_who_may_not_use_the_template(self, make_environment, dana, theo, sam):
        environment = make_environment()
        environment.version.template.teams.add(sam.teams.get())
        assert self.codes(environment, dana, theo) == {"address": ["template"]}

    def test_not_out_of_the_team(self, make_environment, dana, ada, sam):
        environment = make_environment()
        assert self.codes(environment, dana, sam) == {"address": ["team"]}
        assert self.codes(environment, ada, sam) == {"address": ["team"]}

    def test_a_manager_may_take_over_what_is_the_teams(self, make_environment, dana, max_manager):
        environment = make_environment()
        memberships.hand_over(environment, dana, max_manager.email, keep=None)
        assert environment.owner == max_manager

    def test_an_environment_of_no_team_goes_to_anybody(self, make_environment, dana, sam):
        environment = make_environment(team=None)
        memberships.hand_over(environment, dana, sam.email, keep=None)
        assert environment.owner == sam


class TestMovingToWhatNeedsApproval:
    @pytest.fixture
    def environment(self, make_environment, django_user_model):
        """Approved once, with 50 pods."""
        row = make_environment()
        Environment.objects.update(requested_at=row.created_at, decided_at=row.created_at)
        row.refresh_from_db()
        return row

    @pytest.fixture
    def publish(self, template_version):
        """The next version, whose medium size needs approval and grants so much."""

        def publish(**quota):
            spec = copy.deepcopy(SPEC)
            spec["sizes"][1] |= {"approval": True, "quota": spec["sizes"][1]["quota"] | quota}
            spec["sizes"][1]["quota"] = {name: each for name, each in spec["sizes"][1]["quota"].items() if each}
            TemplateVersion.objects.filter(pk=template_version.pk).update(state=TemplateVersion.State.RETIRED)
            return TemplateVersion.objects.create(
                template=template_version.template, number=2, state=TemplateVersion.State.PUBLISHED,
                spec=template_spec.dump(template_spec.parse(spec)),
            )  # fmt: skip

        return publish

    @pytest.mark.parametrize(
        ("quota", "sentence"),
        [
            ({"pods": "5000"}, "grants more than was approved \\(Pods\\)"),
            ({"pods": "5000", "requests.cpu": "1001m"}, "CPU requests, Pods|Pods, CPU requests"),
            ({"pods": ""}, "grants more than was approved \\(Pods\\)"),
        ],
    )
    def test_more_than_was_approved_is_refused(self, environment, publish, dana, quota, sentence):
        version = publish(**quota)
        with pytest.raises(ValidationError, match=sentence):
            actions.move_environment(environment, version, dana)
        environment.refresh_from_db()
        assert environment.version != version

    def test_a_platform_admin_may(self, environment, publish, ada):
        version = publish(pods="5000")
        actions.move_environment(environment, version, ada)
        environment.refresh_from_db()
        assert environment.version == version

    @pytest.mark.parametrize("quota", [{}, {"pods": "30"}, {"requests.cpu": "1000m"}])
    def test_as_much_or_less_is_not(self, environment, publish, dana, quota):
        version = publish(**quota)
        actions.move_environment(environment, version, dana)
        environment.refresh_from_db()
        assert environment.version == version

    def test_what_was_never_approved_is_refused_whatever_it_grants(self, make_environment, publish, dana):
        with pytest.raises(ValidationError, match="Version 2 needs approval"):
            actions.move_environment(make_environment(), publish(), dana)


def test_a_version_that_is_no_longer_published_is_refused(make_environment, dana, template_version):
    environment = make_environment()
    for state, number in (("retired", 2), ("draft", 3)):
        version = TemplateVersion.objects.create(
            template=template_version.template, number=number, state=state, spec=template_version.spec
        )
        with pytest.raises(ValidationError, match=f"Version {number} is no longer the published one"):
            actions.move_environment(environment, version, dana)
    environment.refresh_from_db()
    assert environment.version == template_version
