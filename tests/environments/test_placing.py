"""From the field that an API server names to the place in the template that it was made of."""

import pytest

from environments.kube import manifests
from environments.kube.answers import translate
from environments.kube.manifests import Desired
from environments.lib.errors import Cause, PermanentError
from environments.reconcile import placing
from tests.environments.specs import spec_of

DOMAIN = "allotment.internal"
SPEC = spec_of(
    quota={"requests.cpu": "1", "pods": "5"},
    sizes=[{"name": "small"}, {"name": "large", "quota": {"pods": "9", "requests.nvidia.com/gpu": "1"}}],
    limits={"default": {"cpu": "1", "memory": "1Gi"}, "default_request": {"cpu": "1"}, "maximum": {"memory": "2Gi"}},
    network={
        "dns": True,
        "same_namespace": True,
        "ingress_controller": True,
        "egress": [{"cidr": "10.0.0.0/8"}, {"cidr": "192.168.0.0/16", "ports": ["443"]}],
        "ingress": [{"label": "team", "value": "payments", "ports": ["80"]}],
    },
    labels={"cost-centre": "4711", "tier": "gold"},
    annotations={"example.com/note": "hello"},
    automount_token=False,
    manifests="apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n    - port: 80\n    - port: 81",
)


def objects(size: str = "large") -> dict[str, dict]:
    desired = Desired("id", "sample", "home", "dana@example.com", "web", SPEC, DOMAIN, size=size)
    return {manifests.key(each): each for each in manifests.all_manifests(desired)}


def place(key: str, error: PermanentError, size: str = "large") -> tuple:
    [(found, _)] = placing.problems(error, objects(size)[key], SPEC, size, {}, DOMAIN)
    return found


def named(field: str, text: str = "Invalid value") -> PermanentError:
    return PermanentError("It is invalid.", reason="Invalid", causes=(Cause(field, text),))


def in_words(text: str) -> PermanentError:
    return PermanentError(f"The cluster rejected the request (403): {text}", reason="Forbidden")


QUOTA, LIMITS = "ResourceQuota/environment-quota", "LimitRange/environment-limits"
OUT, IN = "NetworkPolicy/allow-egress", "NetworkPolicy/allow-ingress"


@pytest.mark.parametrize(
    ("key", "field", "expected"),
    [
        (QUOTA, "spec.hard[requests.cpu]", ("quota", "requests.cpu")),
        (QUOTA, "spec.hard[pods]", ("sizes", 1, "quota", "pods")),
        (QUOTA, "spec.hard[requests.nvidia.com/gpu]", ("sizes", 1, "quota", "requests.nvidia.com/gpu")),
        (QUOTA, "spec.hard.requests.cpu", ("quota", "requests.cpu")),
        (QUOTA, "spec.hard", ("quota",)),
        (QUOTA, "", ("quota",)),
        (LIMITS, "spec.limits[0].default[cpu]", ("limits", "default", "cpu")),
        (LIMITS, "spec.limits[0].defaultRequest[cpu]", ("limits", "default_request", "cpu")),
        (LIMITS, "spec.limits[0].max[memory]", ("limits", "maximum", "memory")),
        (LIMITS, "spec.limits[0]", ("limits",)),
        (OUT, "spec.egress[1].to[0].ipBlock.cidr", ("network", "egress", 1, "cidr")),
        (OUT, "spec.egress[1].ports[0].port", ("network", "egress", 1, "ports")),
        (OUT, "spec.podSelector", ("network",)),
        (IN, "spec.ingress[0].from[0].namespaceSelector.matchLabels", ("network", "ingress", 0, "label")),
        (IN, "spec.ingress[0].ports[0].port", ("network", "ingress", 0, "ports")),
        (IN, "spec.podSelector", ("network", "ingress", 0, "label")),
        ("NetworkPolicy/deny-all", "spec.podSelector", ("network",)),
        ("NetworkPolicy/allow-dns", "spec.egress[0].ports[0].port", ("network", "dns")),
        ("NetworkPolicy/allow-same-namespace", "spec", ("network", "same_namespace")),
        ("NetworkPolicy/allow-ingress-controller", "spec", ("network", "ingress_controller")),
        ("Namespace/home", "metadata.name", ("naming", "namespace")),
        ("ServiceAccount/default", "automountServiceAccountToken", ("automount_token",)),
        ("Service/web", "spec.ports[1].name", ("manifests", 8)),
        ("Service/web", "metadata.namespace", ("manifests", 3)),
    ],
)
def test_a_field_leads_to_its_place(key, field, expected):
    assert place(key, named(field)) == expected


def test_where_a_size_has_no_figure_of_its_own_it_is_that_of_all_sizes():
    assert place(QUOTA, named("spec.hard[pods]"), size="small") == ("quota", "pods")


def test_the_value_of_a_label_is_told_from_its_key():
    field = "spec.ingress[0].from[0].namespaceSelector.matchLabels"
    assert place(IN, named(field, 'Invalid value: "payments": no')) == ("network", "ingress", 0, "value")


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        (QUOTA, "No quota of pods above 5 here.", ("sizes", 1, "quota", "pods")),
        (QUOTA, "Not requests.cpu.", ("quota", "requests.cpu")),
        (QUOTA, "Neither pods nor requests.cpu.", ("quota",)),
        (LIMITS, "Too much memory.", ("limits", "default", "memory")),
        ("Namespace/home", "The label cost-centre is not 4711.", ("labels", "cost-centre")),
        ("Namespace/home", 'Not with "gold".', ("labels", "tier")),
        ("Namespace/home", "What is example.com/note?", ("annotations", "example.com/note")),
        ("Namespace/home", "sets only these Pod Security levels", ("pod_security", "enforce")),
        ("Namespace/home", "allotment.internal/external-ips is bad", ("admission", "external_ips")),
        ("Namespace/home", "Names end in -dev here.", ("naming", "namespace")),
    ],
)
def test_a_policys_sentence_leads_to_what_it_names(key, text, expected):
    assert place(key, in_words(text)) == expected


def test_an_object_that_does_not_fit_its_schema_leads_to_the_field():
    text = (
        "failed to create typed patch object (home/environment-quota; /v1, Kind=ResourceQuota): .spec.hard.pods: "
        "expected a number"
    )
    error = translate(500, {"message": text}, None)
    assert isinstance(error, PermanentError)
    assert place(QUOTA, error) == ("sizes", 1, "quota", "pods")


def test_every_cause_is_told():
    causes = tuple(Cause(f"spec.hard[{name}]", f"No {name}.") for name in ("pods", "requests.cpu"))
    error = PermanentError("Both.", causes=causes)
    found = placing.problems(error, objects()[QUOTA], SPEC, "large", {}, DOMAIN)
    assert found == [
        (("sizes", 1, "quota", "pods"), "The cluster rejects the value: No pods."),
        (("quota", "requests.cpu"), "The cluster rejects the value: No requests.cpu."),
    ]


@pytest.mark.parametrize(
    "details",
    [None, [], "x", {"causes": "x"}, {"causes": [1, None, {"field": 1, "message": "x"}, {"message": "no field"}]}],
)
def test_causes_that_make_no_sense_are_left_out(details):
    error = translate(422, {"message": "No.", "details": details}, None)
    assert isinstance(error, PermanentError)
    assert error.causes == ()


def test_of_very_many_long_causes_some_are_kept():
    many = [{"field": "f" * 9000, "message": "m" * 9000}] * 5000
    error = translate(422, {"message": "No.", "details": {"causes": many}}, None)
    assert isinstance(error, PermanentError)
    assert len(error.causes) == 50
    assert {len(each.message) for each in error.causes} == {400}
