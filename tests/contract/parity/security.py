"""Pod Security: the namespace's labels, pods that are rejected, and warnings; then roles and bindings."""

from dataclasses import replace

from tests.contract.parity.points import (
    HOME,
    Manifest,
    Point,
    Request,
    an,
    container,
    deployment,
    made,
    merged,
    pod,
    point,
    strategic,
    template,
    tried,
)

_PREFIX = "pod-security.kubernetes.io"
_SPACE = an("Namespace", HOME, home="")
_GOOD = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}

#: labels of a namespace, and the code
_LABELS = (
    ({"enforce": "restricted"}, 201),
    ({"enforce": "Restricted"}, 422),
    ({"enforce": "strict"}, 422),
    ({"enforce": ""}, 422),
    ({"audit": "none"}, 422),
    ({"warn": "high"}, 422),
    ({"enforce": "baseline", "enforce-version": "v1.30"}, 201),
    ({"enforce": "baseline", "enforce-version": "latest"}, 201),
    ({"enforce": "baseline", "enforce-version": "1.30"}, 422),
    ({"enforce": "baseline", "enforce-version": "v1.30.1"}, 422),
    ({"enforce": "baseline", "enforce-version": "v1.99"}, 201),
    ({"warn-version": "newest"}, 422),
    ({"enforced": "anything"}, 201),
)


def _secured(**changes) -> Manifest:
    return container(securityContext=_GOOD | changes)


#: what it is, the level, code, and the pod
_PODS = (
    ("a plain pod", "privileged", 201, pod()),
    ("a plain pod", "baseline", 201, pod()),
    ("a plain pod", "restricted", 403, pod()),
    ("a good pod", "restricted", 201, pod(_secured())),
    ("the host's network", "baseline", 403, pod(hostNetwork=True)),
    ("the host's processes", "baseline", 403, pod(hostPID=True)),
    ("the host's network", "privileged", 201, pod(hostNetwork=True)),
    ("privileged", "baseline", 403, pod(container(securityContext={"privileged": True}))),
    (
        "a privileged init container",
        "baseline",
        403,
        pod(initContainers=[container("init", securityContext={"privileged": True})]),
    ),
    ("a path of the host", "baseline", 403, pod(volumes=[{"name": "a", "hostPath": {"path": "/"}}])),
    ("a port of the host", "baseline", 403, pod(container(ports=[{"containerPort": 80, "hostPort": 80}]))),
    ("a capability", "baseline", 403, pod(container(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}))),
    ("a usual capability", "baseline", 201, pod(container(securityContext={"capabilities": {"add": ["CHOWN"]}}))),
    ("no seccomp", "baseline", 403, pod(securityContext={"seccompProfile": {"type": "Unconfined"}})),
    ("a sysctl", "baseline", 403, pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]})),
    (
        "a safe sysctl",
        "baseline",
        201,
        pod(securityContext={"sysctls": [{"name": "net.ipv4.ping_group_range", "value": "0 1"}]}),
    ),
    (
        "proc unmasked in a user namespace",
        "baseline",
        201,
        pod(container(securityContext={"procMount": "Unmasked"}), hostUsers=False),
    ),
    ("a type of SELinux", "baseline", 403, pod(securityContext={"seLinuxOptions": {"type": "mine"}})),
    ("no AppArmor", "baseline", 403, pod(securityContext={"appArmorProfile": {"type": "Unconfined"}})),
    (
        "a probe of another host",
        "baseline",
        403,
        pod(container(livenessProbe={"httpGet": {"port": 80, "host": "10.0.0.1"}})),
    ),
    ("escalation", "restricted", 403, pod(_secured(allowPrivilegeEscalation=True))),
    ("root", "restricted", 403, pod(_secured(runAsNonRoot=False))),
    ("user 0", "restricted", 403, pod(_secured(runAsUser=0))),
    ("user 1000", "restricted", 201, pod(_secured(runAsUser=1000))),
    ("capabilities kept", "restricted", 403, pod(_secured(capabilities={}))),
    (
        "a capability that may be added",
        "restricted",
        201,
        pod(_secured(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]})),
    ),
    (
        "a capability that may not be added",
        "restricted",
        403,
        pod(_secured(capabilities={"drop": ["ALL"], "add": ["CHOWN"]})),
    ),
    (
        "a volume of NFS",
        "restricted",
        403,
        pod(_secured(), volumes=[{"name": "a", "nfs": {"server": "a", "path": "/"}}]),
    ),
    ("a volume that is empty", "restricted", 201, pod(_secured(), volumes=[{"name": "a", "emptyDir": {}}])),
    (
        "what the pod says for all containers",
        "restricted",
        201,
        pod(
            container(securityContext={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}),
            securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        ),
    ),
    ("one good and one plain container", "restricted", 403, pod(_secured(), container("other"))),
)


def _leveled(labels: Manifest) -> Request:
    return merged(_SPACE, {"metadata": {"labels": {f"{_PREFIX}/{key}": value for key, value in labels.items()}}})


def _met(name: str, level: str, code: int, found: Manifest) -> Point:
    return point(f"{level} meets {name}", code, _leveled({"enforce": level}), tried(found))


def _labelled(labels: Manifest, code: int) -> Point:
    name = " ".join(f"{key}={value}" for key, value in labels.items())
    found = an("Namespace", "other", home="", metadata={"labels": {f"{_PREFIX}/{k}": v for k, v in labels.items()}})
    return point(f"a namespace with {name}", code, tried(found))


_RBAC = "rbac.authorization.k8s.io"
_RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


def _role(*rules: Manifest) -> Manifest:
    return an("Role", "r", f"{_RBAC}/v1", rules=list(rules))


def _binding(*subjects: Manifest, **role) -> Manifest:
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "environment-viewer"} | role
    return an("RoleBinding", "b", f"{_RBAC}/v1", roleRef=reference, subjects=list(subjects))


#: what it is, code, and the role or binding
_ROLES = (
    ("a rule", 201, _role(_RULE)),
    ("a rule without verbs", 422, _role(_RULE | {"verbs": []})),
    ("a rule without groups", 422, _role({"resources": ["pods"], "verbs": ["get"]})),
    ("a rule without resources", 422, _role({"apiGroups": [""], "verbs": ["get"]})),
    ("a rule about paths", 422, _role({"nonResourceURLs": ["/metrics"], "verbs": ["get"]})),
    ("a user", 201, _binding({"kind": "User", "name": "a", "apiGroup": _RBAC})),
    ("a user of no group of the API", 201, _binding({"kind": "User", "name": "a"})),
    ("a user of another group of the API", 422, _binding({"kind": "User", "name": "a", "apiGroup": "apps"})),
    ("a subject of another kind", 422, _binding({"kind": "Team", "name": "a"})),
    ("a subject without a name", 422, _binding({"kind": "User", "name": ""})),
    ("an account", 201, _binding({"kind": "ServiceAccount", "name": "a", "namespace": "b"})),
    ("an account without a namespace", 201, _binding({"kind": "ServiceAccount", "name": "a"})),
    (
        "an account of a group of the API",
        422,
        _binding({"kind": "ServiceAccount", "name": "a", "namespace": "b", "apiGroup": _RBAC}),
    ),
    ("a role of another kind", 422, _binding(kind="Deployment")),
    ("a role of another group", 422, _binding(apiGroup="apps")),
    ("a role without a name", 422, _binding(name="")),
    ("a role that is not there", 201, _binding(name="nothing")),
)

POINTS = (
    *(_labelled(*row) for row in _LABELS),
    *(_met(*row) for row in _PODS),
    *(point(f"binding {name}", code, tried(found), fields="subjects roleRef") for name, code, found in _ROLES),
    point("a deployment of rejected pods", 201, _leveled({"enforce": "restricted"}), tried(deployment())),
    point("a deployment of pods that are warned of", 201, _leveled({"warn": "restricted"}), tried(deployment())),
    point("a pod that is warned of", 201, _leveled({"warn": "restricted"}), tried(pod())),
    point(
        "a pod that is warned of, by the baseline", 201, _leveled({"warn": "baseline"}), tried(pod(hostNetwork=True))
    ),
    point("a good deployment", 201, _leveled({"warn": "restricted"}), tried(deployment(template=template(_secured())))),
    point("a level that pods are above", 200, made(pod(hostNetwork=True)), _leveled({"enforce": "baseline"})),
    point("a level that pods keep", 200, made(pod()), _leveled({"enforce": "baseline"})),
    point("a level that there is none of", 422, _leveled({"enforce": "high"})),
    point(
        "a change of a rejected pod",
        200,
        made(pod(hostNetwork=True)),
        _leveled({"enforce": "baseline"}),
        merged(pod(), {"metadata": {"labels": {"a": "b"}}}),
    ),
    point(
        "a new image of a rejected pod",
        403,
        made(pod(hostNetwork=True)),
        _leveled({"enforce": "baseline"}),
        replace(tried(pod(hostNetwork=True)), until="403"),  # Pod Security reads the namespace from a cache
        strategic(pod(), {"spec": {"containers": [{"name": "main", "image": "other:1"}]}}),
    ),
)
