"""The portal's account in a cluster has what the portal uses, and nothing else.

Everything that the portal can do with an environment is done once, and every request to the API server is written
down as the verb and resource that RBAC knows. That is compared with the ClusterRole that ships: a right that nothing
uses fails here until it is taken away, or its reason is given below. That the rights suffice is shown by the tests of
tests/contract, which run as this account on a real control plane; that others are refused, by
tests/contract/test_access.py.
"""

import re
from itertools import product

import pytest
from django.utils import timezone

from environments import actions
from environments.actions import access_tokens, memberships
from environments.admin import cluster_checks
from environments.catalog.files import read
from environments.kube import rbac
from environments.lib.phases import Phase, Role
from environments.management.commands.import_templates import SEEDS
from environments.models import Environment, TemplateVersion
from environments.routine import observe
from environments.web import workloads
from tests.arranging import settle
from tests.faults.proxy import FaultProxy
from tests.reference import WEB_PREVIEW
from tests.templates import publish

pytestmark = pytest.mark.django_db

Right = tuple[str, str, str]  # verb, resource, group

#: Held without a request that shows it, and why.
JUSTIFIED: dict[Right, str] = {
    ("bind", "clusterroles", "rbac.authorization.k8s.io"): "asked for by the API server itself when a role is bound",
}
_VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}
_PATH = re.compile(r"^/(?:api|apis/([^/]+))/[^/]+(?:/namespaces/[^/]+(?=/))?/([a-z]+)(?:/([^/?]+))?(?:/([a-z]+))?$")


def right(method: str, path: str) -> Right:
    """What RBAC asks for a request. Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/"""
    group, resource, name, subresource = _PATH.match(path).groups()
    verb = "list" if method == "GET" and not name else _VERBS[method]
    return verb, f"{resource}/{subresource}" if subresource else resource, group or ""


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/namespaces", ("list", "namespaces", "")),
        ("GET", "/api/v1/namespaces/a", ("get", "namespaces", "")),
        ("PATCH", "/api/v1/namespaces/a/resourcequotas/q", ("patch", "resourcequotas", "")),
        ("POST", "/api/v1/namespaces/a/serviceaccounts/b/token", ("create", "serviceaccounts/token", "")),
        ("GET", "/apis/apps/v1/deployments", ("list", "deployments", "apps")),
        ("DELETE", "/apis/batch/v1/namespaces/a/jobs/b", ("delete", "jobs", "batch")),
    ],
)
def test_a_request_is_read_as_rbac_reads_it(method, path, expected):
    assert right(method, path) == expected


@pytest.fixture
def used(place):
    """The rights that the portal's requests to its cluster take, as they come by."""
    found: set[Right] = set()

    def note(method: str, path: str, content_type: str) -> None:
        path = path.partition("?")[0]
        if path.startswith(("/api/", "/apis/")) and "selfsubject" not in path:
            found.add(right(method, path))
            if "apply" in content_type:  # of an object that is not there yet
                found.add(("create", *right(method, path)[1:]))

    with FaultProxy(place.server, watch=note) as proxy:
        place.server = proxy.url
        place.save()
        yield found


#: What the portal's account is bound to: all over the cluster, and in its own namespace.
ITS_ROLES = ("allotment-portal", "allotment-accounts")


def granted(*names: str) -> set[Right]:
    """The rights of roles that ship, without names: its own, if none is named."""
    roles = [each for each in rbac.documents() if each["metadata"]["name"] in (names or ITS_ROLES) and "rules" in each]
    assert len(roles) == len(names or ITS_ROLES)
    return {
        (verb, resource, group)
        for role in roles
        for rule in role["rules"]
        for verb, resource, group in product(rule["verbs"], rule["resources"], rule["apiGroups"])
    }


EVERY_KIND = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: robot}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: robot}
roleRef: {kind: Role, name: robot}
subjects: [{kind: ServiceAccount, name: robot}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: db}}
"""
_POD = """{metadata: {labels: {app: %s}}, spec: {%ssecurityContext: {runAsNonRoot: true, seccompProfile: {type: \
RuntimeDefault}}, containers: [{name: a, image: example.com/a:1, securityContext: {allowPrivilegeEscalation: \
false, capabilities: {drop: [ALL]}}}]}}"""
EVERY_KIND += f"""---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec: {{serviceName: db, selector: {{matchLabels: {{app: db}}}}, template: {_POD % ("db", "")}}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: once}}
spec: {{template: {_POD % ("once", "restartPolicy: Never, ")}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: daily}}
spec: {{schedule: "0 3 * * *", jobTemplate: {{spec: {{template: {_POD % ("daily", "restartPolicy: Never, ")}}}}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: web}}
spec: {{hostnames: [web.example.com]}}
"""


def live(people, place) -> Environment:
    """An environment through everything that can happen to one."""
    dana, theo = people
    preview = read(SEEDS / "web-preview.yaml")
    wish = actions.Draft(version=publish(preview), name="shop", cluster=place, parameters=WEB_PREVIEW)
    environment = settle(actions.request_environment(dana, wish))
    assert environment.phase == Phase.READY, list(environment.conditions.values_list("type", "message"))
    memberships.add_members(environment, dana, [theo.email], Role.DEVELOPER)
    environment = settle(environment)
    access_tokens.issue(environment, dana, hours=1)
    access_tokens.revoke(environment, dana)
    workloads.read(environment)
    observe.observe(place.pk)
    cluster_checks.check_all([place])
    return environment


def end(environment: Environment) -> None:
    actions.delete_environment(environment, environment.owner, typed_name=environment.name)
    for _ in range(5):
        Environment.objects.filter(pk=environment.pk).update(next_reconcile_at=timezone.now())
        environment = settle(environment)
    assert environment.phase == Phase.DELETED


def changed(**changes) -> TemplateVersion:
    """Another version of the same template."""
    document = read(SEEDS / "web-preview.yaml")
    return publish(document.model_copy(update={"spec": document.spec.model_copy(update=changes)}))


def test_it_uses_every_right_that_it_has_and_no_other(used, people, place, local_directory, admin):
    environment = live(people, place)
    quota = environment.template_spec.quota | {"persistentvolumeclaims": "9", "requests.storage": "9Gi"}
    more = changed(manifests=EVERY_KIND, quota=quota)
    actions.move_environment(environment, more, environment.owner)
    environment = settle(environment)
    assert environment.phase == Phase.READY, list(environment.conditions.values_list("type", "message"))
    observe.observe(place.pk)
    # Moved to a version with less: what is wanted no longer goes.
    spec = environment.template_spec
    only_pods = {"pods": "6"}  # a quota of CPU or memory would need container defaults
    fewer = changed(limits=type(spec.limits)(), network=type(spec.network)(), quota=only_pods, manifests="")
    actions.move_environment(environment, fewer, environment.owner)
    environment = settle(environment)
    end(environment)
    unused = {each for each in granted() - used if each not in JUSTIFIED}
    # A template's own objects are made by its binding to environment-admin, in their namespace alone.
    assert used - granted() - granted("environment-admin") == set(), "what it lacks"
    assert unused == set(), "what nothing uses"
    assert set(JUSTIFIED) <= granted() - used, "reasons that are none any more"
