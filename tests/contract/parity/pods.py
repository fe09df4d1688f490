"""What a pod may say."""

from tests.contract.parity.points import Manifest, container, pod, point, tried


def _port(**port) -> Manifest:
    return pod(container(ports=[port]))


def _variable(**variable) -> Manifest:
    return pod(container(env=[variable]))


def _mounted(*volumes: Manifest, name: str = "data", path: str = "/data") -> Manifest:
    return pod(container(volumeMounts=[{"name": name, "mountPath": path}]), volumes=list(volumes))


def _probed(**probe) -> Manifest:
    return pod(container(livenessProbe=probe))


_EMPTY = {"name": "data", "emptyDir": {}}
_HTTP = {"httpGet": {"path": "/", "port": 80}}

#: what it is, code, and the pod
_TRIED: tuple[tuple[str, int, Manifest], ...] = (
    ("no containers", 422, pod() | {"spec": {"containers": []}}),
    ("two containers of one name", 422, pod(container("a"), container("a"))),
    ("an init container of the same name", 422, pod(container("a"), initContainers=[container("a")])),
    ("a container in capitals", 422, pod(container("Main"))),
    ("a container without a name", 422, pod({"image": "a"})),
    ("a container without an image", 422, pod({"name": "a"})),
    ("an image with a blank", 422, pod({"name": "a", "image": " a"})),
    ("port 0", 422, _port(containerPort=0)),
    ("port 65536", 422, _port(containerPort=65536)),
    ("a port of a protocol that there is none of", 422, _port(containerPort=80, protocol="ICMP")),
    ("a port's name that is too long", 422, _port(containerPort=80, name="a" * 16)),
    ("a port's name in capitals", 422, _port(containerPort=80, name="Http")),
    ("a negative amount", 422, pod(container(requests={"cpu": "-1"}))),
    ("a request above its limit", 422, pod(container(requests={"cpu": "2"}, limits={"cpu": "1"}))),
    ("a resource that there is none of", 422, pod(container(requests={"gpu": "1"}))),
    ("storage of a container", 422, pod(container(requests={"storage": "1"}))),
    ("half a device", 422, pod(container(limits={"nvidia.com/gpu": "500m"}))),
    ("a device without a limit", 422, pod(container(requests={"nvidia.com/gpu": "1"}))),
    (
        "a device whose limit is another",
        422,
        pod(container(requests={"nvidia.com/gpu": "1"}, limits={"nvidia.com/gpu": "2"})),
    ),
    ("resources of the pod", 201, pod(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "2"}})),
    (
        "resources of the pod, less than of its containers",
        422,
        pod(container(requests={"cpu": "2"}), resources={"requests": {"cpu": "1"}}),
    ),
    (
        "resources of the pod, request above limit",
        422,
        pod(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
    ),
    (
        "devices of the pod",
        422,
        pod(resources={"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}),
    ),
    (
        "a container's limit above the pod's",
        422,
        pod(container(limits={"cpu": "2"}, requests={"cpu": "100m"}), resources={"limits": {"cpu": "1"}}),
    ),
    ("restarting at times", 422, pod(restartPolicy="Sometimes")),
    ("a sidecar", 201, pod(initContainers=[container("side", restartPolicy="Always")])),
    (
        "an init container that restarts at times",
        422,
        pod(initContainers=[container("side", restartPolicy="Sometimes")]),
    ),
    ("pulling at times", 422, pod(container(imagePullPolicy="Sometimes"))),
    ("DNS of another sort", 422, pod(dnsPolicy="Mine")),
    ("DNS of its own without servers", 422, pod(dnsPolicy="None")),
    ("a host's name in capitals", 422, pod(hostname="Host")),
    ("a negative grace period", 201, pod(terminationGracePeriodSeconds=-1)),
    ("no deadline at all", 422, pod(activeDeadlineSeconds=0)),
    ("an account that is not there", 403, pod(serviceAccountName="nobody")),
    ("an account in capitals", 403, pod(serviceAccountName="Nobody")),
    ("a node's label with two slashes", 422, pod(nodeSelector={"a/b/c": "d"})),
    ("a toleration with another operator", 422, pod(tolerations=[{"key": "a", "operator": "Like"}])),
    ("a toleration with a value too many", 422, pod(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}])),
    (
        "a toleration with another effect",
        422,
        pod(tolerations=[{"key": "a", "operator": "Exists", "effect": "Nothing"}]),
    ),
    ("a variable without a name", 422, _variable(name="", value="a")),
    ("a variable with an equals sign", 422, _variable(name="a=b", value="a")),
    (
        "a variable of two sources",
        422,
        _variable(name="a", value="b", valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}),
    ),
    ("a variable of no source", 422, _variable(name="a", valueFrom={})),
    (
        "a variable of a field that is none",
        422,
        _variable(name="a", valueFrom={"fieldRef": {"fieldPath": "spec.colour"}}),
    ),
    ("a variable of a Secret without a key", 422, _variable(name="a", valueFrom={"secretKeyRef": {"name": "a"}})),
    ("a mount of no volume", 422, _mounted()),
    ("a mount", 201, _mounted(_EMPTY)),
    ("a mount of another volume", 422, _mounted(_EMPTY, name="other")),
    ("a mount nowhere", 422, _mounted(_EMPTY, path="")),
    ("a mount with a colon", 201, _mounted(_EMPTY, path="/a:b")),
    ("a volume twice", 422, _mounted(_EMPTY, _EMPTY)),
    ("a volume of two sorts", 422, _mounted(_EMPTY | {"configMap": {"name": "a"}})),
    ("a volume of no sort", 201, _mounted({"name": "data"})),
    ("a volume of a ConfigMap without a name", 422, _mounted({"name": "data", "configMap": {}})),
    ("a volume of a claim without a name", 422, _mounted({"name": "data", "persistentVolumeClaim": {"claimName": ""}})),
    ("a volume in capitals", 422, _mounted(_EMPTY | {"name": "Data"}, name="Data")),
    (
        "two mounts at one place",
        422,
        pod(container(volumeMounts=[{"name": "data", "mountPath": "/a"}] * 2), volumes=[_EMPTY]),
    ),
    ("a probe", 201, _probed(**_HTTP)),
    ("a probe that does nothing", 422, _probed(periodSeconds=1)),
    ("a probe that does two things", 422, _probed(**_HTTP, tcpSocket={"port": 80})),
    ("a probe of port 0", 422, _probed(httpGet={"path": "/", "port": 0})),
    ("a negative delay of a probe", 422, _probed(**_HTTP, initialDelaySeconds=-1)),
    ("a liveness probe that succeeds twice", 422, _probed(**_HTTP, successThreshold=2)),
    ("a run as user -1", 422, pod(securityContext={"runAsUser": -1})),
    (
        "privileged without escalation",
        422,
        pod(container(securityContext={"privileged": True, "allowPrivilegeEscalation": False})),
    ),
    ("a seccomp profile of another type", 422, pod(securityContext={"seccompProfile": {"type": "Mine"}})),
    ("a priority class that is not there", 403, pod(priorityClassName="nothing")),
    ("a runtime class that is not there", 403, pod(runtimeClassName="nothing")),
    ("overhead without a runtime class", 403, pod(overhead={"cpu": "1"})),
    ("ephemeral containers at once", 422, pod(ephemeralContainers=[container("debug")])),
    (
        "a spread of zero",
        422,
        pod(topologySpreadConstraints=[{"maxSkew": 0, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}]),
    ),
)

_DEFAULTS = (
    "spec.restartPolicy spec.dnsPolicy spec.serviceAccountName spec.containers[].imagePullPolicy status.phase "
    "status.qosClass spec.priority spec.preemptionPolicy spec.tolerations metadata.generation spec.resources "
    "spec.containers[].resources spec.containers[].ports spec.containers[].livenessProbe "
    "spec.initContainers[].restartPolicy"
)

POINTS = tuple(point(f"a pod with {name}", code, tried(found), fields=_DEFAULTS) for name, code, found in _TRIED)
