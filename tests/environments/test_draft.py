"""Whatever a caller hands to `request_environment` itself, without a form: each mistake is refused at its field."""

import uuid

import pytest
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone

from environments import actions
from environments import spec as template_spec
from environments.actions import drafts, rows
from environments.lib import naming
from environments.lib.phases import Role
from environments.models import Cluster, Directory, Environment, Event, Template, TemplateVersion
from environments.models.templates import Placement

LARGE = {"requests.cpu": "8", "requests.memory": "8Gi", "pods": "90"}
SPEC = {
    "quota": {"services": "${services}"},
    "sizes": [
        {"name": "small", "quota": {"requests.cpu": "1", "requests.memory": "1Gi", "pods": "9"}},
        {"name": "large", "quota": LARGE, "teams": ["Search"]},
    ],
    "limits": {"default_request": {"cpu": "${cpu}"}, "default": {"cpu": "500m"}},
    "parameters": [
        {"name": "cost_centre", "pattern": "[0-9]{4}", "required": True},
        {"name": "services", "type": "quantity", "default": "10"},
        {"name": "cpu", "type": "quantity", "default": "100m", "minimum": "10m"},
        {"name": "stage", "mode": "restricted", "choices": ["dev", "test"], "default": "dev"},
        {"name": "region", "mode": "fixed", "default": "eu"},
        {"name": "loud", "type": "boolean"},
        {"name": "note"},
    ],
    "collaborator_roles": ["developer"],
}


@pytest.fixture
def draft(make_template, cluster, directory, dana, team):
    """A draft that is right, with some of it changed."""
    version = make_template(spec=SPEC)

    def make(**changes):
        usual = {"version": version, "name": "Shop", "cluster": cluster, "team": team, "size": "small"}
        changes["parameters"] = {"cost_centre": "1040"} | changes.get("parameters", {})
        return drafts.Draft(**usual | changes)

    return make


def refused(user, draft) -> dict[str, list[str]]:
    """The codes by field; nothing was made."""
    with pytest.raises(ValidationError) as refusal:
        actions.request_environment(user, draft)
    assert not Environment.objects.exists()
    assert not Event.objects.exists()
    return {field: [error.code for error in errors] for field, errors in refusal.value.error_dict.items()}


def people(number: int) -> dict[str, Role]:
    return {f"p{each}@example.com": Role.DEVELOPER for each in range(number)}


def test_a_draft_that_is_right_becomes_an_environment_with_all_values(draft, dana, theo):
    made = actions.request_environment(
        dana, draft(name="  My   shop ", collaborators={"Theo@example.com": "developer"})
    )
    assert made.name == "My shop"
    assert made.parameters == {
        "cost_centre": "1040", "services": "10", "cpu": "100m", "stage": "dev", "region": "eu", "loud": "", "note": "",
    }  # fmt: skip
    assert dict(made.members.values_list("email", "role")) == {dana.email: "admin", theo.email: "developer"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ""}, {"name": ["empty"]}),
        ({"name": "!!!"}, {"name": ["empty"]}),
        ({"name": "kube-system"}, {"name": ["reserved"]}),
        ({"name": "Default"}, {"name": ["reserved"]}),
        ({"name": "x" * 41}, {"name": ["max_length"]}),
        ({"name": "a\x00b"}, {"name": ["null_characters"]}),
        ({"purpose": "x" * 201}, {"purpose": ["max_length"]}),
        ({"size": ""}, {"size": ["required"]}),
        ({"size": "huge"}, {"size": ["unknown"]}),
        ({"size": "large"}, {"size": ["team"]}),
        ({"parameters": {"cost_centre": "104"}}, {"p_cost_centre": ["invalid"]}),
        ({"parameters": {"cost_centre": ""}}, {"p_cost_centre": ["required"]}),
        ({"parameters": {"stage": "prod"}}, {"p_stage": ["invalid"]}),
        ({"parameters": {"region": "us"}}, {"p_region": ["fixed"]}),
        ({"parameters": {"evil": "1"}}, {"p_evil": ["unknown"]}),
        ({"parameters": {"cpu": "5m"}}, {"p_cpu": ["invalid"]}),
        ({"parameters": {"cpu": "much"}}, {"p_cpu": ["invalid"]}),
        ({"parameters": {"loud": "perhaps"}}, {"p_loud": ["invalid"]}),
        ({"parameters": {"note": "x" * 201}}, {"p_note": ["max_length"]}),
        ({"parameters": {"note": "a\x00b"}}, {"p_note": ["null_characters"]}),
        ({"parameters": {"services": "1.5"}}, {"p_services": ["figures"]}),
        ({"parameters": {"cpu": "600m"}}, {"p_cpu": ["figures"]}),
        ({"collaborators": {"theo@example.com": Role.ADMIN}}, {"collaborator_role": ["role"]}),
        ({"collaborators": {"theo@example.com": "owner"}}, {"collaborator_role": ["role"]}),
        ({"collaborators": {"theo": Role.DEVELOPER}}, {"collaborators": ["invalid"]}),
        ({"collaborators": {"nobody@example.com": Role.DEVELOPER}}, {"collaborators": ["not_found"]}),
        ({"collaborators": people(21)}, {"collaborators": ["too_many"]}),
        ({"team": None}, {"team": ["required"]}),
    ],
)
def test_each_mistake_is_refused_at_its_field(draft, dana, theo, changes, expected):
    assert refused(dana, draft(**changes)) == expected


def test_everything_that_is_wrong_is_said_at_once(draft, dana, cluster, sam):
    Cluster.objects.update(accepts_new=False)
    wrong = draft(
        name="!", purpose="x" * 201, size="huge", team=sam.teams.get(), parameters={"stage": "prod", "evil": "1"},
        collaborators={"theo": Role.VIEWER},
    )  # fmt: skip
    assert refused(dana, wrong).keys() == {
        "name", "purpose", "size", "p_stage", "p_evil", "collaborators", "collaborator_role", "team", "cluster",
    }  # fmt: skip


def test_a_size_for_a_team_is_its_members_and_platform_admins(draft, ada, sam):
    assert refused(ada, draft(team=sam.teams.get(), size="large")) == {"team": ["not_yours"]}
    assert actions.request_environment(sam, draft(team=sam.teams.get(), size="large")).size == "large"
    assert actions.request_environment(ada, draft(team=None, size="large")).size == "large"


def test_a_team_of_others_is_refused(draft, dana, sam, max_manager, team):
    assert refused(dana, draft(team=sam.teams.get())) == {"team": ["not_yours"]}
    assert refused(max_manager, draft(team=team)) == {"team": ["not_yours"]}  # managing it is not being in it


@pytest.mark.parametrize(
    ("change", "code"),
    [({"accepts_new": False}, "closed"), ({"lost_at": timezone.now(), "accepts_new": False}, "lost")],
)
def test_a_cluster_that_takes_nothing_is_refused(draft, dana, change, code):
    Cluster.objects.update(**change)
    assert refused(dana, draft()) == {"cluster": [code]}
    assert refused(dana, draft(cluster=None)) == {"cluster": ["none"]}


def test_a_cluster_that_is_not_the_templates_is_refused(draft, dana):
    other = Cluster.objects.create(slug="dublin", name="Dublin", server="https://dublin.example.com")
    Template.objects.get().clusters.add(other)
    assert refused(dana, draft()) == {"cluster": ["not_offered"]}
    assert actions.request_environment(dana, draft(cluster=None)).cluster == other


def test_nobody_chooses_where_the_template_chooses(draft, dana, cluster):
    version = draft().version
    version.template.placement = Placement.AUTOMATIC
    version.template.save()
    assert refused(dana, draft()) == {"cluster": ["no_choice"]}
    assert actions.request_environment(dana, draft(cluster=None)).cluster == cluster


@pytest.mark.parametrize("state", [TemplateVersion.State.DRAFT, TemplateVersion.State.RETIRED])
def test_a_version_that_is_not_the_published_one_is_refused(draft, dana, state):
    version = draft().version
    more = {"number": 2, "spec": template_spec.dump(template_spec.parse(SPEC))}
    other = TemplateVersion.objects.create(template=version.template, state=state, **more)
    assert refused(dana, draft(version=other)) == {"version": ["outdated"]}


def test_a_template_of_another_team_is_refused(draft, dana, sam):
    Template.objects.get().teams.add(sam.teams.get())
    assert refused(dana, draft()) == {"version": ["outdated"]}


def test_one_more_than_the_limit_is_refused_but_the_same_request_is_not(draft, dana):
    version = draft().version
    version.template.per_person = 1
    first = draft(key=uuid.uuid4())
    made = actions.request_environment(dana, first)
    assert actions.request_environment(dana, first) == made
    with pytest.raises(ValidationError, match="1 of at most 1 environments of this template: Shop") as refusal:
        actions.request_environment(dana, draft())
    assert [error.code for error in refusal.value.error_dict[NON_FIELD_ERRORS]] == ["limit"]
    assert Environment.objects.count() == 1


def test_the_limit_is_counted_once_more_before_it_is_stored(draft, dana):
    """Both were checked before either was stored."""
    version = draft().version
    version.template.per_person = 1
    plans = [drafts.check(dana, draft()) for _ in range(2)]
    actions.carry_out(plans[0])
    with pytest.raises(ValidationError, match="1 of at most 1"):
        actions.carry_out(plans[1])


def test_without_a_directory_nothing_is_requested(draft, dana):
    Directory.objects.update(is_default=False)
    assert refused(dana, draft()) == {NON_FIELD_ERRORS: ["no_directory"]}


def test_a_directory_that_does_not_answer_refuses_nobody(draft, dana):
    Directory.objects.update(kind=Directory.Kind.SCIM, url="http://127.0.0.1:9/scim/v2", secret="")
    wanted = draft(collaborators={"nobody@example.com": Role.DEVELOPER})
    assert actions.request_environment(dana, wanted).members.count() == 2


def test_what_the_preview_builds_is_what_the_verb_stores(draft, dana, theo):
    wanted = draft(collaborators={theo.email: Role.DEVELOPER})
    shown = rows.build(drafts.Plan(dana, wanted), naming.suffix_of(wanted.key))
    stored = actions.request_environment(dana, wanted)
    for name in ("name", "namespace", "size", "parameters", "cluster", "team", "phase", "spec"):
        assert getattr(stored, name) == getattr(shown.environment, name)
    assert {group.name for group in shown.groups} == set(stored.groups.values_list("name", flat=True))


@pytest.mark.parametrize("limit", [None, 5])
def test_a_request_costs_a_fixed_number_of_queries(draft, dana, theo, limit, django_assert_max_num_queries):
    wanted = draft()
    wanted.version.template.per_person = limit
    with django_assert_max_num_queries(20 if limit else 17):
        actions.request_environment(dana, wanted)
