"""Who may request what, where it lands, how many, and how it moves to a newer version."""

import copy
import importlib
from decimal import Decimal

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError

from environments import actions
from environments.actions import placement
from environments.catalog import files as template_files
from environments.lib.phases import Phase
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Environment, Team, Template, User
from environments.models.templates import Placement
from environments.routine import observe
from environments.web import pages
from environments.web.forms import RequestForm
from environments.web.permissions import published_versions
from tests.arranging import pod, settle
from tests.templates import publish

pytestmark = pytest.mark.django_db


def republish(change: dict, name: str = "namespace"):
    """Publish the shipped template with some of its content changed."""
    document = template_files.read(SEEDS / f"{name}.yaml")
    data = document.spec.model_dump(mode="json") | change
    return publish(template_files.TemplateFile(template=document.template, spec=data))


@pytest.fixture
def second_place(place):
    return Cluster.objects.create(slug="dublin", name="Dublin", server=place.server, credential=place.credential)


def test_a_template_for_a_team_is_seen_and_requested_by_its_members_only(ask, people, namespace_template, client):
    team = Team.objects.create(name="Search", group="team-search")
    namespace_template.template.teams.add(team)
    dana, theo = people
    team.members.add(theo)
    assert not published_versions(dana).exists()
    assert published_versions(theo).get() == namespace_template
    with pytest.raises(ValidationError, match="changed or retired"):
        ask()
    client.force_login(dana)
    assert client.get("/catalog/namespace/").status_code == 404
    client.force_login(theo)
    assert client.get("/catalog/namespace/").status_code == 200
    admin = User.objects.create(username="ada", email="ada@example.com", is_superuser=True)
    assert published_versions(admin).exists()


def test_a_size_for_a_team_is_offered_to_its_members_only(people, place, local_directory):
    sizes = [
        {"name": "small", "quota": {"pods": "1"}},
        {"name": "large", "quota": {"pods": "9"}, "teams": ["Search"]},
    ]
    dana, theo = people
    Team.objects.create(name="Search", group="team-search").members.add(theo)
    version = republish({"sizes": sizes})
    assert [size.name for size in RequestForm(dana, version).sizes] == ["small"]
    assert [size.name for size in RequestForm(theo, version).sizes] == ["small", "large"]
    form = RequestForm(dana, version, {"size": "large", "name": "x"})
    assert "size" in form.errors


def test_at_most_so_many_live_environments_a_person_with_count_and_names(ask, people, namespace_template):
    Template.objects.update(per_person=2)
    namespace_template.template.refresh_from_db()
    first = settle(ask("one"))
    ask("two")
    with pytest.raises(ValidationError, match="2 of at most 2 environments of this template: one, two"):
        ask("three")
    actions.delete_environment(first, first.owner, typed_name="one")
    settle(first)
    assert ask("three").name == "three"


def test_the_portal_places_an_environment_where_least_is_reserved(ask, place, second_place, namespace_template, people):
    Template.objects.update(placement=Placement.AUTOMATIC)
    namespace_template.template.refresh_from_db()
    placed = []
    for number in range(4):
        request = actions.Draft(
            version=namespace_template,
            name=f"n{number}",
            cluster=None,
            parameters={"cpu": "1000m", "memory": "1024Mi"},
        )
        placed.append(actions.request_environment(people[0], request).cluster.slug)
    assert sorted(placed) == ["amsterdam", "amsterdam", "dublin", "dublin"]
    assert "cluster" not in RequestForm(people[0], namespace_template).fields


def test_a_cluster_that_is_closed_or_not_the_templates_is_no_candidate(place, second_place, namespace_template):
    template = namespace_template.template
    assert set(placement.candidates(template)) == {place, second_place}
    template.clusters.add(second_place)
    assert set(placement.candidates(template)) == {second_place}
    Cluster.objects.filter(pk=second_place.pk).update(accepts_new=False)
    assert placement.least_reserved(placement.candidates(template)) is None


@pytest.mark.parametrize(
    ("hard", "figures"),
    [
        ({"requests.cpu": "500m", "requests.memory": "1Gi"}, (Decimal("0.5"), 2**30)),
        ({"limits.cpu": "2", "limits.memory": "1M"}, (Decimal(2), 10**6)),
        ({"pods": "5"}, (Decimal(0), 0)),
    ],
)
def test_what_is_reserved_is_what_the_quota_grants(hard, figures):
    assert placement.reserved(hard) == figures


def test_a_newer_version_is_shown_with_its_differences_and_moved_to_in_place(ask, admin, world):
    environment = settle(ask())
    admin.create(pod(environment.namespace, "250m"))
    uid = world(environment)["ResourceQuota", "environment-quota"]["metadata"]["uid"]
    assert pages.newer(environment) is None
    quota = environment.spec["quota"] | {"pods": "40"}
    version = republish({"quota": quota, "network": {"dns": True, "same_namespace": True}})
    newer = pages.newer(environment)
    assert newer.version == version
    assert any("40" in sentence for sentence in newer.changes)
    actions.move_environment(environment, version, environment.owner)
    settle(environment)
    assert environment.phase == Phase.READY
    found = world(environment)
    assert found["ResourceQuota", "environment-quota"]["spec"]["hard"]["pods"] == "40"
    assert found["ResourceQuota", "environment-quota"]["metadata"]["uid"] == uid
    assert ("NetworkPolicy", "allow-same-namespace") in found
    assert admin.get("Pod", "api", environment.namespace) is not None
    back = republish({})
    environment.refresh_from_db()
    actions.move_environment(environment, back, environment.owner)
    settle(environment)
    assert ("NetworkPolicy", "allow-same-namespace") not in world(environment)


def test_a_move_that_would_shrink_below_what_is_used_says_so_first(ask, admin, place):
    environment = settle(ask())
    for number in range(3):
        made = pod(environment.namespace, "100m")
        made["metadata"]["name"] = f"p{number}"
        admin.create(made)
    observe.observe(place.pk)
    environment.refresh_from_db()
    republish({"quota": environment.spec["quota"] | {"pods": "2"}})
    assert pages.newer(environment).shrinks == ["Pods: 3 used, 2 allowed."]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sizes": [{"name": "tiny", "quota": {"pods": "1"}}]}, "has no size"),
        (
            {
                "parameters": [{"name": "cpu", "type": "quantity", "mode": "restricted", "choices": ["8"]}],
                "quota": {"requests.cpu": "8"},
            },
            "CPU: Choose one of 8",
        ),
    ],
)
def test_a_version_that_has_no_place_for_it_is_refused_and_nothing_changes(ask, change, sentence):
    environment = ask()
    version = republish(change)
    with pytest.raises(ValidationError, match=sentence):
        actions.move_environment(environment, version, environment.owner)
    environment.refresh_from_db()
    assert environment.version != version
    assert environment.generation == 1


def test_a_move_is_asked_for_by_the_owner_on_a_page_of_its_own(ask, client, people):
    environment = settle(ask())
    version = republish({"quota": environment.spec["quota"] | {"pods": "40"}})
    address = f"/environments/{environment.namespace}/move/"
    client.force_login(people[1])
    assert client.post(address, {"version": version.number}).status_code == 404
    client.force_login(people[0])
    assert client.get(address).status_code == 200
    environment.refresh_from_db()
    assert environment.version != version
    assert client.post(address, {"version": version.number}).status_code == 302
    environment.refresh_from_db()
    assert environment.version == version


def test_a_platform_admin_moves_many_at_once_but_nobody_below_what_they_use(ask, admin, place, client):
    idle, busy = settle(ask("idle")), settle(ask("busy"))
    for number in range(3):
        made = pod(busy.namespace, "100m")
        made["metadata"]["name"] = f"p{number}"
        admin.create(made)
    observe.observe(place.pk)
    version = republish({"quota": idle.spec["quota"] | {"pods": "2"}})
    client.force_login(User.objects.create(username="ada", email="ada@example.com", is_superuser=True, is_staff=True))
    sent = {"action": "move_to_newest", "_selected_action": [str(idle.pk), str(busy.pk)]}
    page = client.post("/admin/environments/environment/", sent, follow=True).content.decode()
    assert "Busy was not moved. Pods: 3 used, 2 allowed." in page
    assert "Environments moved: 1." in page
    versions = dict(Environment.objects.values_list("name", "version"))
    assert versions == {"idle": version.pk, "busy": busy.version_id}


def test_gpus_of_every_vendor_and_storage_are_reserved():
    hard = {
        "requests.nvidia.com/gpu": "2", "requests.amd.com/gpu": "1", "requests.nvidia.com/mig-1g.5gb": "3",
        "requests.example.com/fpga": "9", "requests.storage": "1Gi", "requests.cpu": "500m",
    }  # fmt: skip
    assert placement.columns(hard) == {
        "reserved_cpu": Decimal("0.500"), "reserved_memory": 0, "reserved_storage": 2**30, "reserved_gpus": 6
    }  # fmt: skip


def test_the_migration_works_out_what_rows_of_before_reserve(make_environment):
    readable, odd, over = make_environment(), make_environment(spec={"odd": 1}), make_environment(phase=Phase.DELETED)
    spec = copy.deepcopy(readable.spec)
    spec["quota"] |= {"requests.storage": "1Gi", "requests.amd.com/gpu": "2"}
    Environment.objects.filter(pk__in=(readable.pk, over.pk)).update(spec=spec)
    migration = importlib.import_module("environments.migrations.0026_approvals_to_decide_on")
    migration.fill(apps, None)
    found = {row.pk: (row.reserved_storage, row.reserved_gpus) for row in Environment.objects.all()}
    assert found == {readable.pk: (2**30, 2), odd.pk: (None, None), over.pk: (None, None)}
