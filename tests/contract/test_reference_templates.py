"""Both reference templates, every size and every choice, made by the portal on a cluster and read back from it."""

import pytest

from environments import actions
from environments.catalog.files import read
from environments.lib.errors import PermanentError
from environments.lib.phases import Phase
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, Environment, User
from tests import reference
from tests.arranging import settle
from tests.contract.arrange import eventually, pod, start, used, wait_until_enforced
from tests.reference import CHOICES, CHOICES_101, CHOICES_102, Choice, values
from tests.templates import publish

pytestmark = pytest.mark.django_db

QUOTA, LIMITS = "environment-quota", "environment-limits"


@pytest.fixture
def provision(cluster_endpoint, admin):
    """Have an environment made as the portal makes it; its namespace is deleted afterwards."""
    way = cluster_endpoint.portal
    cluster = Cluster.objects.create(
        slug="here",
        name="Here",
        server=way.server,
        credential=way.credential,
        certificate_authority=way.certificate_authority,
    )
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    dana = User.objects.create(username="dana", email="dana@example.com")
    made = []

    def make(choice: Choice) -> Environment:
        version = publish(read(SEEDS / f"{choice.template}.yaml"))
        request = actions.Draft(
            version=version, name="checkout", cluster=cluster, size=choice.size, parameters=dict(choice.parameters)
        )
        made.append(actions.request_environment(dana, request))
        return settle(made[-1])

    yield make
    for environment in made:
        admin.delete("Namespace", environment.namespace)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_choice_becomes_a_governed_namespace(choice, provision, admin):
    environment = provision(choice)
    assert environment.phase == Phase.READY, list(environment.conditions.values_list("type", "status", "message"))
    name = environment.namespace
    quota = wait_until_enforced(admin, name, QUOTA)
    assert values(quota["spec"]["hard"]) == values(choice.quota)
    assert values(quota["status"]["hard"]) == values(choice.quota)
    hard = quota["spec"]["hard"]
    assert environment.conditions.get(type="Counting").message == f"The cluster counts all {len(hard)} resources"
    assert quota["status"]["used"].keys() == hard.keys()
    assert admin.get("LimitRange", LIMITS, name)["spec"]["limits"] == [
        {
            "type": "Container",
            "default": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "1Gi"},
            "defaultRequest": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "100Mi"},
        }
    ]
    policies = {item["metadata"]["name"]: item["spec"] for item in admin.list_objects("NetworkPolicy", namespace=name)}
    assert policies.keys() == {"deny-all", "allow-dns"}
    assert policies["deny-all"] == reference.DENY_ALL
    assert policies["allow-dns"]["policyTypes"] == ["Egress"]
    labels = admin.get("Namespace", name)["metadata"]["labels"]
    levels = {mode: labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")}
    assert levels == {"enforce": "baseline", "audit": "restricted", "warn": "restricted"}
    assert environment.members.get().allowed is True


@pytest.mark.parametrize("choice", [CHOICES_101[0], CHOICES_102[0], CHOICES_102[3]], ids=str)
def test_a_pod_that_asks_for_nothing_starts_and_counts(choice, provision, admin):
    name = provision(choice).namespace
    wait_until_enforced(admin, name, QUOTA)
    made = eventually(lambda: _try(admin, pod(name, "plain")), "the limit range is known")
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "1Gi"},
        "requests": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "100Mi"},
    }
    eventually(lambda: used(admin, name, "requests.ephemeral-storage", QUOTA) == "100Mi", "the disk is counted")
    eventually(lambda: used(admin, name, "requests.cpu", QUOTA) == "50m", "the defaults are counted")


@pytest.mark.parametrize(
    ("choice", "resource", "amount"),
    [
        (CHOICES_101[0], "cpu", "1001m"),
        (CHOICES_101[0], "memory", "1025Mi"),
        (CHOICES_101[-1], "cpu", "4001m"),
        (CHOICES_102[0], "cpu", "501m"),
        (CHOICES_102[3], "nvidia.com/gpu", "5"),
        (CHOICES_102[5], "nvidia.com/gpu", "17"),
    ],
    ids=str,
)
def test_a_pod_beyond_the_quota_is_refused_and_one_within_it_starts(choice, resource, amount, provision, admin):
    name = provision(choice).namespace
    wait_until_enforced(admin, name, QUOTA)
    start(admin, pod(name, "small", {"cpu": "1m", "memory": "1Mi"}, cpu="1m", memory="1Mi"))
    figures = {"cpu": "1m", "memory": "1Mi"} | {resource: amount}
    with pytest.raises(PermanentError, match=f"exceeded quota: {QUOTA}, requested: .*{resource}={amount}"):
        admin.create(pod(name, "large", figures, **figures))


def test_the_gpus_of_a_size_can_be_used_to_the_last(provision, admin):
    name = provision(CHOICES_102[3]).namespace
    wait_until_enforced(admin, name, QUOTA)
    start(admin, pod(name, "training", {"nvidia.com/gpu": "4"}, **{"nvidia.com/gpu": "4"}))
    eventually(lambda: used(admin, name, "requests.nvidia.com/gpu", QUOTA) == "4", "the GPUs are counted")


def _try(admin, manifest):
    """The object, None while it is refused: caches in the API server lag behind a little."""
    try:
        return admin.create(manifest)
    except PermanentError:
        return None
