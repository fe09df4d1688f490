"""What an environment is on its cluster: pure functions from a few facts to manifests.

No input or output happens here. The same manifests are shown in the form's preview, applied by the steps and
compared with the cluster to find drift.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from environments import spec as template_spec
from environments.kube import network_policies as policies
from environments.kube import permits
from environments.kube.network_policies import Neighbours
from environments.lib import hosts, naming
from environments.lib.phases import CLUSTER_ROLES, Role
from environments.spec import TemplateSpec, extras
from environments.spec.openings import Destinations

Manifest = dict[str, Any]

MANAGED_BY = "allotment"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
QUOTA, LIMITS, CRITICAL_QUOTA = "environment-quota", "environment-limits", "environment-critical-pods"
PORTAL_BINDING = "allotment-portal-objects"
DEFAULT_ACCOUNT = "ServiceAccount/default"

#: The priority classes of Kubernetes' own components: pods with them evict all others.
CRITICAL_CLASSES = ("system-cluster-critical", "system-node-critical")
_MANY = "1000000"
_RBAC = "rbac.authorization.k8s.io"

#: Selects every object of the portal, in any namespace.
SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"


@dataclass(frozen=True)
class Binding:
    """Who holds a role: the environment's group and, by name, people and other groups; as the API server calls them."""

    role: Role
    group: str  # empty: it is not named
    users: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()  # ServiceAccounts, in the account namespace
    groups: tuple[str, ...] = ()  # that the portal did not make, as the API server calls them


@dataclass(frozen=True)
class Desired:
    """The facts that manifests are made of."""

    environment_id: str
    name: str
    namespace: str
    owner: str  # e-mail address
    template: str  # slug
    spec: TemplateSpec
    label_domain: str
    size: str = ""
    team: str = ""
    purpose: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    bindings: tuple[Binding, ...] = ()
    account_namespace: str = "allotment"
    neighbours: Neighbours = field(default_factory=Neighbours)
    guards_pods: bool = False  # the cluster has the policy allotment-pods
    host_patterns: tuple[str, ...] = ()  # of the cluster
    openings: tuple[tuple[str, Destinations], ...] = ()  # of the network, by slug


def environment_label(label_domain: str) -> str:
    """The label key that holds an environment's id."""
    return f"{label_domain}/environment"


def namespace(desired: Desired) -> Manifest:
    """The Namespace, with its Pod Security levels and the template's own labels and annotations."""
    levels, values = desired.spec.pod_security, dict(desired.parameters)
    prefix = "pod-security.kubernetes.io"
    labels = {
        key: naming.label_value(template_spec.substitute(text, values)) for key, text in desired.spec.labels.items()
    }
    labels |= {f"{prefix}/enforce": levels.enforce, f"{prefix}/audit": levels.audit, f"{prefix}/warn": levels.warn}
    annotations = {key: template_spec.substitute(text, values) for key, text in desired.spec.annotations.items()}
    annotations |= {
        f"{desired.label_domain}/owner": desired.owner,
        f"{desired.label_domain}/name": desired.name,
        f"{desired.label_domain}/purpose": desired.purpose,
    }
    host_names = permits.host_names(desired.spec, desired.host_patterns, desired.namespace)
    annotations |= _permits(_Content(desired.spec), desired.size, desired.label_domain, host_names)
    return _object(desired, "v1", "Namespace", desired.namespace, labels=labels, annotations=annotations)


def resource_quota(desired: Desired) -> Manifest:
    """The ResourceQuota. https://kubernetes.io/docs/concepts/policy/resource-quotas/"""
    return _object(desired, "v1", "ResourceQuota", QUOTA, spec={"hard": dict(_hard_of(desired))})


def critical_quota(desired: Desired) -> Manifest | None:
    """The ResourceQuota without pods of critical priority classes; None where the policy allotment-pods refuses them.

    Where the template permits some, it counts only the others, or as many pods as the template's quota. It is then
    wanted beside the policy, too: the portal cannot delete quotas, and an earlier one may be left.
    https://kubernetes.io/docs/concepts/policy/resource-quotas/#resource-quota-per-priorityclass
    """
    refused = [each for each in CRITICAL_CLASSES if each not in desired.spec.admission.priority_classes]
    if desired.guards_pods and len(refused) == len(CRITICAL_CLASSES):
        return None
    pods = "0" if refused else _hard_of(desired).get("pods", _MANY)
    term = {"scopeName": "PriorityClass", "operator": "In", "values": refused or list(CRITICAL_CLASSES)}
    spec: Manifest = {"hard": {"pods": pods}, "scopeSelector": {"matchExpressions": [term]}}
    return _object(desired, "v1", "ResourceQuota", CRITICAL_QUOTA, spec=spec)


class _Content:
    """A template's content as a key: by identity, for to compare or hash all of it would take longer than to use it."""

    __slots__ = ("spec",)

    def __init__(self, spec: TemplateSpec) -> None:
        self.spec = spec

    def __hash__(self) -> int:
        return id(self.spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and self.spec is other.spec


def _hard_of(desired: Desired) -> dict[str, str]:
    return _hard(_Content(desired.spec), desired.size, desired.parameters)


#: Many environments have the same few contents, sizes and parameters. What is kept is not to be changed.
@lru_cache(maxsize=1024)
def _hard(content: _Content, size: str, parameters: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return template_spec.render_quota(content.spec, size, dict(parameters))


@lru_cache(maxsize=1024)
def _permits(content: _Content, size: str, label_domain: str, host_names: tuple[str, ...]) -> dict[str, str]:
    return permits.annotations(content.spec, size, label_domain, host_names)


def quotas(desired: Desired) -> list[Manifest]:
    """The environment's quota, and that of critical pods where one is wanted."""
    return [resource_quota(desired), *filter(None, [critical_quota(desired)])]


def limit_range(desired: Desired) -> Manifest | None:
    """The LimitRange with container defaults; None where the template sets none."""
    limits, values = desired.spec.limits, dict(desired.parameters)
    item = {
        key: {resource: template_spec.substitute(amount, values) for resource, amount in figures.items()}
        for key, figures in (
            ("default", limits.default),
            ("defaultRequest", limits.default_request),
            ("max", limits.maximum),
        )
        if figures
    }
    if not item:
        return None
    return _object(desired, "v1", "LimitRange", LIMITS, spec={"limits": [{"type": "Container"} | item]})


def network_policies(desired: Desired) -> list[Manifest]:
    """Deny-all first, then what the template lets through, then what was opened for this environment."""
    specs = policies.specs(desired.spec.network, desired.neighbours, dict(desired.openings))
    return [_object(desired, "networking.k8s.io/v1", "NetworkPolicy", name, spec=spec) for name, spec in specs.items()]


def role_binding(desired: Desired, binding: Binding) -> Manifest:
    """The RoleBinding of one role to its group, and to people by name.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/role-binding-v1/
    """
    api_group = "rbac.authorization.k8s.io"
    subjects = [
        {"kind": "Group", "name": name, "apiGroup": api_group} for name in (binding.group, *binding.groups) if name
    ]
    subjects += [{"kind": "User", "name": user, "apiGroup": api_group} for user in binding.users]
    subjects += [
        {"kind": "ServiceAccount", "name": name, "namespace": desired.account_namespace} for name in binding.accounts
    ]
    manifest = _object(desired, f"{api_group}/v1", "RoleBinding", CLUSTER_ROLES[binding.role])
    manifest["roleRef"] = {"apiGroup": api_group, "kind": "ClusterRole", "name": CLUSTER_ROLES[binding.role]}
    manifest["subjects"] = subjects
    return manifest


def service_account(desired: Desired, name: str) -> Manifest:
    """A member's ServiceAccount, in the portal's own namespace.

    Not in the environment's: anyone allowed to start pods there could run one as any ServiceAccount beside it.
    """
    manifest = _object(desired, "v1", "ServiceAccount", name)
    manifest["metadata"]["namespace"] = desired.account_namespace
    return manifest | {"automountServiceAccountToken": False}


def default_account(desired: Desired) -> Manifest | None:
    """The `default` ServiceAccount without its token in every pod; None where the template leaves it as it is."""
    if desired.spec.automount_token:
        return None
    return _object(desired, "v1", "ServiceAccount", "default") | {"automountServiceAccountToken": False}


def released_account(desired: Desired) -> Manifest:
    """The `default` ServiceAccount without anything of ours: applied, it gives back what was set."""
    metadata = {"name": "default", "namespace": desired.namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def extra_objects(desired: Desired) -> list[Manifest]:
    """The template's own objects with this environment's values, in the order in which they are made.

    Raises ValueError, a sentence a line, where the values make something of them that may not be made.
    """
    return [extra_object(desired, document) for document in extras.documents(desired.spec, values(desired))]


def values(desired: Desired) -> dict[str, str]:
    """What `${…}` in the template's objects stands for: its parameters, and what the portal knows by itself."""
    return portal_values(desired.spec, desired.host_patterns, desired.namespace) | dict(desired.parameters)


def portal_values(spec: TemplateSpec, host_patterns: Iterable[str], namespace: str) -> dict[str, str]:
    """The values that a template's objects can use beside its parameters."""
    patterns = spec.admission.host_names or host_patterns
    return {"namespace": namespace, "host_domain": hosts.domain(patterns, namespace)}


def extra_object(desired: Desired, document: Manifest) -> Manifest:
    """One of the template's documents in its namespace, with our labels over its own."""
    metadata = document["metadata"]
    labels = (metadata.get("labels") or {}) | _labels(desired) | _extra_label(desired)
    manifest = document | {"metadata": metadata | {"namespace": desired.namespace, "labels": labels}}
    if document["kind"] == "RoleBinding":
        account = {"kind": "ServiceAccount", "namespace": desired.namespace}
        manifest["roleRef"] = document["roleRef"] | {"apiGroup": _RBAC}
        manifest["subjects"] = [account | {"name": subject["name"]} for subject in document["subjects"]]
    return manifest


def portal_binding(desired: Desired, user: str) -> Manifest:
    """The RoleBinding with which the portal, as the cluster calls it, may make a template's objects."""
    manifest = _object(desired, f"{_RBAC}/v1", "RoleBinding", PORTAL_BINDING, labels=_extra_label(desired))
    manifest["roleRef"] = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": CLUSTER_ROLES[Role.ADMIN]}
    return manifest | {"subjects": [{"kind": "User", "name": user, "apiGroup": _RBAC}]}


def key(manifest: Manifest) -> str:
    """An object of a namespace in one word: `Deployment/web`."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def digest(manifest: Manifest) -> str:
    """A manifest in a few letters: another one means that the portal wants something else of the object."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def own_keys(spec: TemplateSpec, values: dict[str, str]) -> list[str]:
    """What a template makes besides what governs the namespace. Raises ValueError as `extra_objects` does."""
    account = [] if spec.automount_token else [DEFAULT_ACCOUNT]
    return account + [key(document) for document in extras.documents(spec, values)]


def is_extra(live: Manifest, label_domain: str) -> bool:
    """Whether an object is a template's own, or there for the sake of one."""
    return f"{label_domain}/extra" in ((live.get("metadata") or {}).get("labels") or {})


def role_bindings(desired: Desired) -> list[Manifest]:
    """One RoleBinding for each role in use."""
    return [role_binding(desired, binding) for binding in desired.bindings]


def all_manifests(desired: Desired) -> list[Manifest]:
    """Everything, in the order in which it is made."""
    return [
        namespace(desired),
        *quotas(desired),
        *filter(None, [limit_range(desired)]),
        *network_policies(desired),
        *filter(None, [default_account(desired)]),
        *_extras_if_good(desired),
        *role_bindings(desired),
    ]


def is_ours(live: Manifest, label_domain: str, environment_id: str) -> bool:
    """Whether an object on the cluster bears the environment's id."""
    labels = (live.get("metadata") or {}).get("labels") or {}
    return labels.get(environment_label(label_domain)) == environment_id


def _extras_if_good(desired: Desired) -> list[Manifest]:
    """None where something is wrong with them: the step says what, and the rest is to be seen all the same."""
    try:
        return extra_objects(desired)
    except ValueError:
        return []


def test_pod(desired: Desired, name: str, run: str, spec: Manifest) -> Manifest:
    """A pod of a test of the cluster's network. `run`: which test it belongs to."""
    return _object(desired, "v1", "Pod", name, labels={test_label(desired.label_domain): run}, spec=spec)


def test_label(label_domain: str) -> str:
    """The label key that holds the test to which a pod belongs."""
    return f"{label_domain}/isolation-test"


def test_policy(desired: Desired, side: str) -> Manifest:
    """A NetworkPolicy that denies all traffic on one side, `Ingress` or `Egress`."""
    name = f"isolation-test-{side.lower()}"
    return _object(desired, "networking.k8s.io/v1", "NetworkPolicy", name, spec=policies.denying(side))


def _extra_label(desired: Desired) -> dict[str, str]:
    return {f"{desired.label_domain}/extra": "true"}


def _object(
    desired: Desired,
    api_version: str,
    kind: str,
    name: str,
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    spec: Manifest | None = None,
) -> Manifest:
    metadata: Manifest = {"name": name}
    if kind != "Namespace":
        metadata["namespace"] = desired.namespace
    metadata["labels"] = (labels or {}) | _labels(desired)
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata} | ({"spec": spec} if spec else {})


def _labels(desired: Desired) -> dict[str, str]:
    domain = desired.label_domain
    labels = {
        MANAGED_BY_LABEL: MANAGED_BY,
        environment_label(domain): desired.environment_id,
        f"{domain}/template": _label_value(desired.template),
    }
    if desired.team:
        labels[f"{domain}/team"] = _label_value(desired.team)
    return labels


_label_value = lru_cache(maxsize=1024)(naming.label_value)  # few templates and teams, on every object
