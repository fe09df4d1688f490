"""Extra manifests: what is refused and in which line, and that a value never becomes more than a value."""

import json
import textwrap

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from environments import spec
from environments.lib import roles
from environments.lib.phases import Role
from environments.spec import extras
from environments.spec.extra_checks import KINDS

PARAMETERS = [
    {"name": "app", "default": "web"},
    {"name": "image", "required": True},
    {"name": "note"},
    {"name": "port", "type": "integer", "default": "8080"},
    {"name": "replicas", "type": "integer", "required": True, "minimum": "1"},
    {"name": "debug", "type": "boolean"},
    {"name": "tier", "type": "choice", "choices": ["gold", "silver"], "default": "gold"},
]
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${app}
  labels:
    app: ${app}
    app.kubernetes.io/name: ${app}
spec:
  replicas: ${replicas}
  selector:
    matchLabels:
      app: ${app}
  template:
    metadata:
      labels:
        app: ${app}
    spec:
      containers:
        - name: web
          image: registry.example.com/${image}:1
          ports:
            - containerPort: ${port}
          env:
            - {name: DEBUG, value: "${debug}"}
            - {name: PORT, value: "${port}"}
            - {name: NOTE, value: "${note}"}
---
apiVersion: v1
kind: Service
metadata:
  name: ${app}
spec:
  selector: {app: "${app}"}
  publishNotReadyAddresses: ${debug}
  ports:
    - port: 80
      targetPort: ${port}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, annotations: {example.com/tier: "${tier}"}}
data:
  note: "${note}"
"""
VALUES = {"image": "shop", "replicas": "3", "debug": "true"}


def template(text: str, **more) -> spec.TemplateSpec:
    data = {"quota": {"pods": "1"}, "parameters": PARAMETERS, "manifests": textwrap.dedent(text).strip()}
    return spec.parse(data | more)


def problems(text: str, **more) -> list[tuple[int, str]]:
    described = template(text, **more)
    return extras.problems(described.manifests, described)


def test_good_manifests_have_no_problems():
    assert problems(WEB) == []


def test_no_manifests_are_fine():
    assert problems("") == problems("# nothing yet\n---\n") == []
    assert extras.documents(template(""), {}) == []


def test_values_go_where_they_were_asked_for():
    config, service, deployment = extras.documents(template(WEB), VALUES)
    assert [each["kind"] for each in (config, service, deployment)] == ["ConfigMap", "Service", "Deployment"]
    assert deployment["metadata"]["name"] == "web"
    assert deployment["spec"]["replicas"] == 3
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example.com/shop:1"
    assert container["ports"] == [{"containerPort": 8080}]
    assert [each["value"] for each in container["env"]] == ["true", "8080", ""]
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["ports"] == [{"port": 80, "targetPort": 8080}]


def test_a_route_names_its_gateway_and_what_the_portal_knows():
    text = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: web, annotations: {example.com/of: "${namespace}"}}
        spec:
          parentRefs: [{name: shared, namespace: gateways}]
          hostnames: ["web.${host_domain}"]
    """
    assert problems(text) == []
    known = {"namespace": "team-a-web", "host_domain": "team-a-web.apps.example.com"}
    (route,) = extras.documents(template(text), known)
    assert route["metadata"]["annotations"] == {"example.com/of": "team-a-web"}
    assert route["spec"]["hostnames"] == ["web.team-a-web.apps.example.com"]


def test_without_quotes_what_the_portal_knows_is_a_text():
    text = (
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a-${namespace}\n  annotations:\n    a: ${namespace}"
    )
    (account,) = extras.documents(template(text), {"namespace": "x7"})
    assert account["metadata"] == {"name": "a-x7", "annotations": {"a": "x7"}}


def test_a_parameter_comes_before_what_the_portal_knows():
    text = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: ${namespace}"
    own = [{"name": "namespace", "default": "mine"}]
    for values in ({}, {"namespace": "mine", "host_domain": ""}):
        (account,) = extras.documents(template(text, parameters=own), values)
        assert account["metadata"]["name"] == "mine"


def test_a_fixed_parameter_is_what_the_template_says():
    fixed = [{"name": "app", "mode": "fixed", "default": "web"}]
    text = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: ${app}"
    assert extras.documents(template(text, parameters=fixed), {"app": "other"})[0]["metadata"]["name"] == "web"


def config(line: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\n{line}"


def workload(line: str, kind: str = "Deployment") -> str:
    """The pod spec's part begins in line 8."""
    version = KINDS.get(kind, "batch/v1")
    return f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      {line}"


def rights(kind: str, line: str) -> str:
    """Roles and RoleBindings. The rest begins in line 5."""
    return f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: ci\n{line}"


def rule(verbs: str, resources: str, groups: str = '""') -> str:
    return rights("Role", f"rules:\n  - apiGroups: [{groups}]\n    resources: [{resources}]\n    verbs: [{verbs}]")


def binding(role_ref: str, subject: str = "{kind: ServiceAccount, name: ci}") -> str:
    return rights("RoleBinding", f"roleRef: {role_ref}\nsubjects:\n  - {subject}")


REFUSALS = {
    # YAML itself
    "not yaml": ("apiVersion: [v1", 2, "This is not YAML"),
    "an alias": ("a: &x 1\nb: *x", 1, "Anchors and aliases"),
    "a tag": ("a: 1\nb: !!python/object:os.system x", 2, "Tags such as"),
    "a key twice": ("kind: ConfigMap\nkind: Secret", 2, "The key kind appears twice"),
    "a number as a key": (config("data:\n  80: x"), 6, "A key must be a text"),
    "too deep": ("a: " + "[" * 60 + "]" * 60, 1, "nested more than"),
    "infinity": (config("data:\n  a: .inf"), 6, "is not a number"),
    "a control character": ("a: b\nc: \x07", 2, "a character that YAML does not allow"),
    # kinds
    "no object": ("- a\n- b", 1, "not a Kubernetes object"),
    "no kind": ("apiVersion: v1", 1, "The kind is missing"),
    "an unknown kind": ("apiVersion: v1\nkind: Colour", 2, "Templates cannot have the kind “Colour”"),
    "a list": ("apiVersion: v1\nkind: List", 2, "Templates cannot have the kind “List”"),
    "a secret": ("apiVersion: v1\nkind: Secret", 2, "could read a Secret in it"),
    "cluster-scoped": ("apiVersion: v1\nkind: Namespace", 2, "the whole cluster"),
    "a cluster role": ("apiVersion: x\nkind: ClusterRoleBinding", 2, "the whole cluster"),
    "a quota": ("apiVersion: v1\nkind: ResourceQuota", 2, "The portal manages each ResourceQuota"),
    "a policy": ("apiVersion: x\nkind: NetworkPolicy", 2, "The portal manages each NetworkPolicy"),
    "a bare pod": ("apiVersion: v1\nkind: Pod", 2, "Use a Deployment"),
    "another version": ("apiVersion: apps/v1beta1\nkind: Deployment", 1, "Use apiVersion apps/v1 for a Deployment"),
    "a parameter as kind": ("apiVersion: v1\nkind: ${app}", 2, "kind cannot contain a parameter"),
    "a status": (config("status: {}"), 5, "Only the cluster writes it"),
    # metadata
    "another namespace": (
        config("x: 1").replace("name: one", "name: one\n  namespace: kube-system"),
        5,
        "namespace out",
    ),
    "a generated name": ("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: a-", 4, "creates another object"),
    "no name": ("apiVersion: v1\nkind: ConfigMap", 1, "metadata.name is missing"),
    "a bad name": (config("").replace("one", "One_two"), 4, "“One_two” is not a valid name"),
    "a dotted service": ("apiVersion: v1\nkind: Service\nmetadata:\n  name: a.b", 4, "“a.b” is not a valid name"),
    "finalizers": (
        config("").replace("name: one", "name: one\n  finalizers: [a/b]"),
        5,
        "block deletion of the namespace",
    ),
    "owners": (config("").replace("name: one", "name: one\n  ownerReferences: []"), 5, "the portal owns"),
    "a uid": (config("").replace("name: one", "name: one\n  uid: abc"), 5, "metadata.uid cannot be set"),
    "our label": (
        config("").replace("name: one", "name: one\n  labels:\n    app.kubernetes.io/managed-by: x"),
        6,
        "reserved for the cluster or the portal",
    ),
    "our domain": (
        config("").replace("name: one", "name: one\n  annotations:\n    allotment.internal/environment: x"),
        6,
        "reserved for the cluster or the portal",
    ),
    "a label that is none": (
        config("").replace("name: one", 'name: one\n  labels:\n    team: "a b"'),
        6,
        "“a b” is not a label value",
    ),
    "a number as label": (config("").replace("name: one", "name: one\n  labels:\n    team: 1"), 6, "in quotes"),
    "labels in a list": (config("").replace("name: one", "name: one\n  labels: [a]"), 5, "pairs of a key and a text"),
    "a pod's label": (
        workload("containers: []").replace("    spec:", "    metadata:\n      labels:\n        k8s.io/x: y\n    spec:"),
        9,
        "reserved for the cluster or the portal",
    ),
    "the quota's name": (config("").replace("one", "environment-quota"), 4, "reserved for the portal"),
    "a role's name": (rights("RoleBinding", "").replace("name: ci", "name: environment-admin"), 4, "reserved for the"),
    "the policy's name": (config("").replace("one", "deny-all"), 4, "reserved for the portal"),
    "an allowance's name": (config("").replace("one", "allow-dns"), 4, "reserved for the portal"),
    "the portal's name": (config("").replace("one", "allotment-portal-objects"), 4, "reserved for the portal"),
    "the default account": (
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: default",
        4,
        "mounting its token",
    ),
    "twice": (config("---\n") + config(""), 9, "the same kind and name"),
    # parameters
    "no such parameter": (config("data:\n  a: ${nothing}"), 6, "${nothing} is not a parameter"),
    "a parameter as key": (config("data:\n  a${app}: x"), 6, "A key cannot contain a parameter"),
    "may be empty": (
        config("").replace("one", "${note}"),
        4,
        "metadata.name is missing or is not a text. (with ${note} left empty)",
    ),
    "a choice that fails": (
        config("").replace("one", "${size}"),
        4,
        "“Big One” is not a valid name. Use up to 63 lower-case letters, digits and hyphens, for example web. "
        "(with Big One for ${size})",
    ),
    "a number in data": (config("data:\n  port: ${port}"), 6, "This must be a text. Put it in quotes."),
    "a number in env": (
        workload("containers:\n        - env:\n            - name: A\n              value: 1"),
        11,
        "Put it in quotes",
    ),
    "a number as argument": (workload("containers:\n        - args:\n            - 1"), 10, "Put it in quotes"),
    # pods
    "hostNetwork": (workload("hostNetwork: true"), 8, "hostNetwork is not allowed"),
    "hostPID": (workload("hostPID: true", "Job"), 8, "hostPID is not allowed"),
    "hostIPC": (workload("hostIPC: true", "StatefulSet"), 8, "hostIPC is not allowed"),
    "hostPath": (workload("volumes: [{name: a, hostPath: {path: /}}]"), 8, "hostPath is not allowed"),
    "hostPort": (workload("containers: [{ports: [{hostPort: 80}]}]"), 8, "hostPort is not allowed"),
    "privileged": (
        workload("initContainers:\n        - securityContext:\n            privileged: true"),
        10,
        "privileged is not allowed",
    ),
    "privileged by a value": (
        workload("containers:\n        - securityContext:\n            privileged: ${mighty}"),
        10,
        "privileged is not allowed",
    ),
    "a node of its own": (workload("nodeName: control-plane"), 8, "the scheduler decides"),
    "hidden in a cron job": (
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec:\n  jobTemplate:\n    spec:\n"
        "      template:\n        spec:\n          hostNetwork: true",
        9,
        "hostNetwork is not allowed",
    ),
    "a job that goes": (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec:\n  ttlSecondsAfterFinished: 5",
        5,
        "create a Job again",
    ),
    # services, ingresses, autoscalers
    "an external name": (
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  type: ExternalName",
        5,
        "ExternalName is not allowed",
    ),
    "external addresses": (
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  externalIPs: [10.0.0.1]",
        5,
        "externalIPs are not allowed",
    ),
    "a snippet": (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: a\n  annotations:\n"
        "    nginx.ingress.kubernetes.io/server-snippet: x",
        6,
        "Snippets are not allowed",
    ),
    "a backend of others": (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\nspec:\n"
        "  parentRefs: [{name: shared, namespace: gateways}]\n  rules:\n"
        "    - backendRefs:\n        - {name: web, namespace: team-b}",
        8,
        "Leave the namespace out",
    ),
    "a gateway that is no parent": (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\nspec:\n"
        "  parentRefs: [{name: shared, namespace: gateways}]",
        5,
        "Leave the namespace out",
    ),
    "two who scale": (
        workload("{}").replace("spec:\n  template", "spec:\n  replicas: 2\n  template")
        + "\n---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: more}\n"
        "spec: {scaleTargetRef: {kind: Deployment, name: web}}",
        6,
        "HorizontalPodAutoscaler more sets them",
    ),
    "a claim's source elsewhere": (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec:\n  dataSourceRef:\n"
        "    namespace: other",
        6,
        "Leave the namespace out",
    ),
    # rights
    "a wildcard": (rule('"*"', "pods"), 6, "Wildcards are not allowed"),
    "all resources": (rule("get", '"*"'), 6, "Wildcards are not allowed"),
    "a wildcard below": (rule("get", '"pods/*"'), 6, "Wildcards are not allowed"),
    "bind": (rule("bind", "clusterroles", "rbac.authorization.k8s.io"), 8, "bind is not allowed"),
    "escalate": (rule("escalate", "roles", "rbac.authorization.k8s.io"), 8, "escalate is not allowed"),
    "impersonate": (rule("impersonate", "users"), 8, "impersonate is not allowed"),
    "a policy's rights": (rule("create", "networkpolicies", "networking.k8s.io"), 6, "create networkpolicies"),
    "another group": (rule("get", "widgets", "example.com"), 6, "does not have: get widgets.example.com"),
    "no list": (rights("Role", "rules: all"), 5, "needs a list of rules"),
    "no rule": (
        rights("Role", "rules:\n  - nonResourceURLs: [/metrics]\n    verbs: [get]"),
        6,
        "A rule needs apiGroups",
    ),
    "rights by parameter": (rule('"${app}"', "pods"), 8, "Permissions cannot depend on a parameter"),
    "a missing role": (binding("{kind: Role, name: other}"), 5, "There is no Role other"),
    "cluster-admin": (
        binding("{kind: ClusterRole, name: cluster-admin}"),
        5,
        "Only these ClusterRoles can be bound: environment-viewer",
    ),
    "no reference": (rights("RoleBinding", "subjects: []"), 1, "roleRef needs the kind"),
    "no subjects": (
        rights("RoleBinding", "roleRef: {kind: ClusterRole, name: environment-viewer}\nsubjects: []"),
        6,
        "needs subjects",
    ),
    "a person": (
        binding("{kind: ClusterRole, name: environment-viewer}", "{kind: User, name: sam@example.com}"),
        7,
        "Use only ServiceAccounts",
    ),
    "a group": (
        binding("{kind: ClusterRole, name: environment-viewer}", "{kind: Group, name: all}"),
        7,
        "Use only ServiceAccounts",
    ),
    "another's account": (
        binding(
            "{kind: ClusterRole, name: environment-viewer}", "{kind: ServiceAccount, name: x, namespace: kube-system}"
        ),
        7,
        "Leave the namespace out",
    ),
}
MORE = [
    {"name": "size", "type": "choice", "choices": ["small", "Big One"], "default": "small"},
    {"name": "mighty", "type": "boolean", "default": "true"},
]


@pytest.mark.parametrize(("text", "line", "words"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_names_the_line_and_the_reason(text, line, words):
    described = spec.parse({"quota": {"pods": "1"}, "parameters": PARAMETERS + MORE}).model_copy(
        update={"manifests": text}
    )
    found = extras.problems(text, described)
    assert (line, True) in [(number, words in sentence) for number, sentence in found], found
    assert all(sentence.startswith(f"Line {number}") for number, sentence in found)


def test_every_place_is_named_at_once_and_by_document():
    text = f"{config('')}---\n{workload('hostNetwork: true')}\n      hostPID: true\n---\napiVersion: v1\nkind: Secret\n"
    assert [(line, sentence.partition(".")[0][:60]) for line, sentence in problems(text)] == [
        (13, "Line 13, Deployment web: hostNetwork is not allowed: the pod"),
        (14, "Line 14, Deployment web: hostPID is not allowed: the pod cou"),
        (17, "Line 17, document 3: Everyone who can see the template could"),
    ]


def test_too_much_is_refused_before_it_is_read():
    assert "the limit is 50" in problems("\n---\n".join([config("")] * 51))[0][1]
    described = template("").model_copy(update={"manifests": "# " + "ä" * 60_000})
    assert "the limit is 100000" in extras.problems(described.manifests, described)[0][1]


def test_the_same_sentence_is_said_once_though_many_values_were_tried():
    text = workload("hostNetwork: true").replace("name: web", "name: ${tier}")
    assert len(problems(text)) == 1


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_give_exactly_what_the_owner_has(role):
    text = yaml.safe_dump(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "all"},
            "rules": list(roles.rules(role)),
        }
    )
    assert problems(text, owner_role=role) == []
    lower = [each for each in Role if roles.ORDER.index(each) < roles.ORDER.index(role)]
    assert len(lower) == roles.ORDER.index(role)  # the lowest has none below it
    assert all(problems(text, owner_role=each) for each in lower)


def test_rules_name_what_the_owners_role_lacks():
    found = problems(rule("get, delete", "secrets, pods"), owner_role="developer")
    assert found == [
        (6, "Line 6, Role ci: The owner's own role (developer) does not have: get secrets, delete secrets.")
    ]


def test_a_binding_reaches_roles_of_the_text_and_no_role_above_the_owners():
    both = f"{rule('get', 'pods')}\n---\n{binding('{kind: Role, name: ci}')}"
    assert problems(both) == []
    admin = binding("{kind: ClusterRole, name: environment-admin}")
    assert problems(admin) == []
    assert "can be bound: environment-viewer, environment-developer" in problems(admin, owner_role="developer")[0][1]


def test_what_the_usual_tools_write_is_let_through():
    text = """
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata:
          name: web
          labels: {app.kubernetes.io/part-of: shop}
          annotations: {nginx.ingress.kubernetes.io/rewrite-target: /, example.com/since: 2024-01-01}
        spec:
          rules: []
    """
    assert problems(text) == []
    assert extras.documents(template(text), VALUES)[0]["metadata"]["annotations"]["example.com/since"] == "2024-01-01"


def test_publishing_hears_of_it_with_its_place():
    described = template(workload("hostNetwork: true"))
    assert [place for place, _ in described.objections()] == [("manifests", 8)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"app": "environment-admin"}, "reserved for the portal"),
        ({"app": "kube system"}, "“kube system” is not a valid name"),
        ({"app": ""}, "metadata.name is missing"),
        ({"replicas": "many"}, "“many” is not a whole number"),
        ({"replicas": ""}, "“” is not a whole number"),
        ({"debug": "maybe"}, "neither true nor false"),
    ],
)
def test_values_that_would_make_something_else_of_it_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        extras.documents(template(WEB), VALUES | values)


def shape(value):
    """Keys, lists and what is no text."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


PLAIN = extras.documents(template(WEB), VALUES)
HOSTILE = st.sampled_from(
    [
        "${image}",
        "x\nkind: Secret",
        "---\nkind: Pod",
        "{a: b}",
        "- x",
        "&a",
        "*a",
        "!!python/x",
        "#",
        '"',
        "'",
        "\\",
        "\t",
    ]
)


@given(st.lists(st.one_of(HOSTILE, st.text(max_size=20)), max_size=4).map("".join), st.integers(1, 9), st.booleans())
def test_no_value_changes_structure_kind_namespace_or_labels(text, number, flag):
    values = {"image": text, "note": text, "replicas": str(number), "debug": str(flag).lower()}
    found = extras.documents(template(WEB), values)
    assert shape(found) == shape(PLAIN)
    assert found[0]["data"]["note"] == text  # whatever it holds, once and as it is
    image = found[2]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"registry.example.com/{text}:1"
    for one, plain in zip(found, PLAIN, strict=True):
        assert (one["kind"], one["apiVersion"], one["metadata"]) == (
            plain["kind"],
            plain["apiVersion"],
            plain["metadata"],
        )


@given(st.text(max_size=60))
def test_a_name_is_a_good_one_or_nothing_is_made(text):
    try:
        found = extras.documents(template(WEB), VALUES | {"app": text})
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert {each["metadata"]["name"] for each in found} == {text, "settings"}
        assert shape(found) == shape(PLAIN)


DATA = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=6), st.sampled_from(["ServiceAccount", "Role"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["metadata", "spec", "rules", "subjects", "roleRef", "env", "labels", "name", "kind"]),
            inner,
        ),
    ),
    max_leaves=12,
)


@given(st.sampled_from(list(KINDS)), st.dictionaries(st.sampled_from(["metadata", "spec", "rules", "subjects"]), DATA))
def test_whatever_shape_a_document_has_there_is_an_answer(kind, data):
    text = json.dumps({"apiVersion": KINDS[kind], "kind": kind} | data)
    assert isinstance(problems(text), list)


@given(st.text(alphabet="a:-{}[]&*!|>'\"% \n\t#,$", max_size=60))
def test_whatever_is_typed_there_is_an_answer(text):
    described = template("").model_copy(update={"manifests": text})
    assert isinstance(extras.problems(text, described), list)
