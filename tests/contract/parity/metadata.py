"""Names, labels, owners, and what may never change."""

from tests.contract.parity.points import (
    DRY,
    HOME,
    Request,
    an,
    config,
    container,
    deployment,
    gone,
    made,
    merged,
    pod,
    point,
    put,
    read,
    strategic,
    tried,
    url,
)

_LONG = "a" * 64
_OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "6f1e"}


def _space(name: str, **metadata):
    return an("Namespace", name, home="", metadata=metadata)


def _service(name: str):
    return an("Service", name, spec={"ports": [{"port": 80}]})


#: what it is, code, and the object that is tried
_TRIED = (
    ("a name in capitals", 422, config("Config")),
    ("a name with an underscore", 422, pod(name="my_pod")),
    ("a name with a dot", 201, config("a.b")),
    ("a name of 253 characters", 201, config("a" * 253)),
    ("a name of 254 characters", 422, config("a" * 254)),
    ("a name that ends with a dash", 422, config("config-")),
    ("a namespace of 64 characters", 422, _space(_LONG)),
    ("a namespace with a dot", 422, _space("a.b")),
    ("a service of 64 characters", 422, _service(_LONG)),
    ("a service with a dot", 422, _service("a.b")),
    ("a role with a slash", 422, an("Role", "a/b", "rbac.authorization.k8s.io/v1", rules=[])),
    ("a role with a colon", 201, an("Role", "system:a", "rbac.authorization.k8s.io/v1", rules=[])),
    ("a role called ..", 422, an("Role", "..", "rbac.authorization.k8s.io/v1", rules=[])),
    ("no name", 422, config("")),
    ("a service account with a dot", 201, an("ServiceAccount", "a.b")),
    ("a network policy in capitals", 422, an("NetworkPolicy", "A", "networking.k8s.io/v1", spec={"podSelector": {}})),
    ("a label", 201, config(labels={"example.com/team": "a"})),
    ("a label's prefix in capitals", 422, config(labels={"Example.com/team": "a"})),
    ("a label's prefix that is empty", 422, config(labels={"/team": "a"})),
    ("a label's prefix that is too long", 422, config(labels={f"{'a.' * 127}a/team": "a"})),
    ("a label's prefix with an underscore", 422, config(labels={"a_b.com/team": "a"})),
    ("two slashes in a label", 422, config(labels={"a/b/c": "d"})),
    ("a label that ends with a dash", 422, config(labels={"team-": "a"})),
    ("a label's value that is too long", 422, config(labels={"team": _LONG})),
    ("a label's value with a blank", 422, config(labels={"team": "a b"})),
    ("a label's value that is a number", 400, config(labels={"team": 1})),
    ("a label's value that is null", 201, config(labels={"team": None})),
    ("an annotation in capitals", 201, config(annotations={"Example.com/Team": "any thing"})),
    ("an annotation with a blank", 422, config(annotations={"a b": "c"})),
    ("an annotation that is a number", 400, config(annotations={"a": 1})),
    ("annotations that are too long", 422, config(annotations={"a": "x" * 262145})),
    ("a finalizer without a domain", 422, config(finalizers=["hold"])),
    ("a finalizer", 201, config(finalizers=["example.com/hold"])),
    ("an owner", 201, config(ownerReferences=[_OWNER])),
    ("an owner without a uid", 422, config(ownerReferences=[_OWNER | {"uid": ""}])),
    ("an owner without a version", 422, config(ownerReferences=[_OWNER | {"apiVersion": ""}])),
    ("an owner without a kind", 422, config(ownerReferences=[_OWNER | {"kind": ""}])),
    ("an event as owner", 422, config(ownerReferences=[_OWNER | {"kind": "Event"}])),
    (
        "two owners that control",
        422,
        config(ownerReferences=[_OWNER | {"controller": True}, _OWNER | {"uid": "7", "controller": True}]),
    ),
    ("a version of its own", 201, config(resourceVersion="7")),
    ("a namespace that is not there", 404, an("ConfigMap", "a", home="nowhere-to-be-found")),
    ("a Secret's key with a blank", 422, an("Secret", "a", stringData={"a b": "c"})),
    ("a Secret that is no base64", 400, an("Secret", "a", data={"a": "?"})),
    ("a ConfigMap's key with a blank", 422, an("ConfigMap", "a", data={"a b": "c"})),
    ("a ConfigMap's key that is twice there", 422, an("ConfigMap", "a", data={"a": "c"}, binaryData={"a": "YQ=="})),
    ("a ConfigMap's value that is a number", 400, an("ConfigMap", "a", data={"a": 1})),
    ("a ConfigMap that is too large", 422, an("ConfigMap", "a", data={"a": "x" * (1024 * 1024 + 1)})),
    ("a type of TLS without a certificate", 422, an("Secret", "a", type="kubernetes.io/tls", data={})),
)

_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "environment-viewer"}
_BINDING = an("RoleBinding", "b", "rbac.authorization.k8s.io/v1", roleRef=_ROLE, subjects=[])
_FIXED = an("ConfigMap", "fixed", immutable=True, data={"a": "b"})
_SECRET = an("Secret", "s", type="Opaque")
_SCOPED = an("ResourceQuota", "q", spec={"hard": {"pods": "1"}, "scopes": ["BestEffort"]})
_CLAIM = an(
    "PersistentVolumeClaim",
    "c",
    spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
)
_SET = an(
    "StatefulSet",
    "s",
    "apps/v1",
    spec={
        "serviceName": "s",
        "selector": {"matchLabels": {"app": "web"}},
        "template": deployment()["spec"]["template"],
    },
)
_JOB = an("Job", "j", "batch/v1", spec={"template": {"spec": {**pod()["spec"], "restartPolicy": "Never"}}})
_OTHER_SELECTOR = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
_OTHER_LABELS = {"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}}

#: what it is, code, the object, and the patch that it gets
_PATCHED = (
    ("a binding's role", 422, _BINDING, {"roleRef": {"name": "environment-admin"}}),
    (
        "a binding's subjects",
        200,
        _BINDING,
        {"subjects": [{"kind": "User", "name": "a", "apiGroup": _ROLE["apiGroup"]}]},
    ),
    ("a deployment's selector", 422, deployment(), {"spec": {**_OTHER_SELECTOR["spec"], **_OTHER_LABELS["spec"]}}),
    ("a deployment's pods, away from the selector", 422, deployment(), _OTHER_LABELS),
    ("a stateful set's service", 422, _SET, {"spec": {"serviceName": "other"}}),
    ("a stateful set's replicas", 200, _SET, {"spec": {"replicas": 2}}),
    ("a job's pods", 422, _JOB, {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}),
    ("a job's parallelism", 200, _JOB, {"spec": {"parallelism": 2}}),
    ("a fixed ConfigMap", 422, _FIXED, {"data": {"a": "c"}}),
    ("a fixed ConfigMap, no longer fixed", 422, _FIXED, {"immutable": False}),
    ("a fixed ConfigMap's labels", 200, _FIXED, {"metadata": {"labels": {"a": "b"}}}),
    ("a Secret's type", 422, _SECRET, {"type": "example.com/x"}),
    ("a quota's scopes", 422, _SCOPED, {"spec": {"scopes": ["NotBestEffort"]}}),
    ("a claim's access", 422, _CLAIM, {"spec": {"accessModes": ["ReadWriteMany"]}}),
    ("a claim's size, smaller", 422, _CLAIM, {"spec": {"resources": {"requests": {"storage": "1Mi"}}}}),
    ("a pod's account", 422, pod(), {"spec": {"serviceAccountName": "other"}}),
    ("a pod's labels", 200, pod(), {"metadata": {"labels": {"a": "b"}}}),
    ("a service's type", 200, _service("s"), {"spec": {"type": "NodePort"}}),
    ("a uid", 422, config(), {"metadata": {"uid": "other"}}),
    ("a name", 400, config(), {"metadata": {"name": "other"}}),
    ("a namespace", 400, config(), {"metadata": {"namespace": "other"}}),
    ("a version that is old", 409, config(), {"metadata": {"resourceVersion": "1"}}),
    ("the time of creation", 200, config(), {"metadata": {"creationTimestamp": None}}),
)

_HELD = config("held", finalizers=["example.com/hold"])
_GENERATED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-", "namespace": HOME}}
_OWNED = "metadata.finalizers metadata.labels"

POINTS = (
    *(point(f"metadata: {name}", code, tried(manifest)) for name, code, manifest in _TRIED),
    *(
        point(f"changing {name}", code, made(manifest), merged(manifest, patch))
        for name, code, manifest, patch in _PATCHED
    ),
    point("a generated name", 201, tried(_GENERATED), fields="metadata.generateName kind"),
    point(
        "a generated name that is none",
        422,
        tried({**_GENERATED, "metadata": {"generateName": "_", "namespace": HOME}}),
    ),
    point("what is held", 200, made(_HELD), gone(_HELD), read(_HELD), fields=_OWNED),
    point("letting go", 404, made(_HELD), gone(_HELD), merged(_HELD, {"metadata": {"finalizers": None}}), read(_HELD)),
    point(
        "a new finalizer while it goes",
        422,
        made(_HELD),
        gone(_HELD),
        merged(_HELD, {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}),
    ),
    point(
        "a label while it goes",
        200,
        made(_HELD),
        gone(_HELD),
        merged(_HELD, {"metadata": {"labels": {"a": "b"}}}),
        fields=_OWNED,
    ),
    point("deleting again while it goes", 200, made(_HELD), gone(_HELD), gone(_HELD), fields=_OWNED),
    point("replacing what goes", 409, made(_HELD), gone(_HELD), made(_HELD)),
    point(
        "metadata: another namespace",
        400,
        Request("POST", f"{url(config(), name=False)}?{DRY}", config(namespace="other")),
    ),
    point(
        "changing a pod's image",
        200,
        made(pod()),
        strategic(pod(), {"spec": {"containers": [{"name": "main", "image": "other:2"}]}}),
        fields="spec.containers[].image",
    ),
    point(
        "changing a pod's ports",
        422,
        made(pod()),
        strategic(
            pod(),
            {
                "spec": {
                    "containers": [{"name": "main", "image": container()["image"], "ports": [{"containerPort": 80}]}]
                }
            },
        ),
    ),
    point("replacing under another name", 400, made(config()), put(config(), body=config("other"))),
)
