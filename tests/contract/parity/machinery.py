"""How requests are asked and answered, whatever they are about: validation of fields, dry runs, lists, deletions."""

from tests.contract.arrange import APPLY
from tests.contract.parity.points import (
    DRY,
    HOME,
    MERGE,
    Request,
    an,
    applied,
    config,
    deployment,
    gone,
    made,
    merged,
    pod,
    point,
    put,
    quota,
    read,
    tried,
)

_CONFIGS = f"/api/v1/namespaces/{HOME}/configmaps"
_STRANGE = deployment() | {"colour": "red"}
_DEEP = deployment(replica=2)
_IN_CONTAINER = pod({"name": "main", "image": "a", "colour": "red", "ports": [{"containerPort": 80, "portt": 1}]})
_TWICE = (
    f'{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"a","namespace":"{HOME}"}},'
    '"data":{"a":"b","a":"c"}}'
)
_WRONG = deployment(replicas="two")
_KEPT = "spec.replica colour spec.replicas"
_A, _B, _C = (config(name, labels={"app": name, "tier": tier}) for name, tier in (("a", "x"), ("b", "x"), ("c", "y")))
_THREE = (made(_A), made(_B), made(_C))
_NAMES = "items[].metadata.name"
_SELECTORS = (
    ("app=a", 200),
    ("app==a", 200),
    ("app!=a,tier", 200),
    ("app in (a,b)", 200),
    ("app notin (a),tier", 200),
    ("!tier", 200),
    ("tier,app=c", 200),
    ("app in ()", 200),
    ("app in a", 400),
    ("app=a b", 400),
    ("=a", 400),
    ("app>a", 400),
    ("example.com/a/b=c", 400),
    ("app=-", 400),
)
_FIELDS = (
    ("metadata.name=a", 200),
    ("metadata.name!=a,metadata.name!=kube-root-ca.crt", 200),
    (f"metadata.namespace={HOME},metadata.name=b", 200),
    ("data.a=b", 400),
    ("metadata.name", 400),
    ("metadata.labels=a", 400),
)
#: what follows the collection's address
_QUERIES = (
    ("limit=2&resourceVersion=0", 200),
    ("limit=2", 200),
    ("limit=x", 400),
    ("limit=-1", 200),
    ("continue=nonsense", 400),
    ("resourceVersion=nonsense", 400),
    ("resourceVersionMatch=Exact", 422),
    ("resourceVersionMatch=Exact&resourceVersion=0", 422),
    ("resourceVersionMatch=Nonsense&resourceVersion=1", 422),
    ("resourceVersionMatch=NotOlderThan&resourceVersion=1", 200),
    ("resourceVersion=1&limit=2&continue=abc", 400),
)
_WIDE = "metadata.name metadata.finalizers details.name status"

_ACCOUNT = an("ServiceAccount", "ci")


def _token(spec, name="ci"):
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return Request("POST", f"/api/v1/namespaces/{HOME}/serviceaccounts/{name}/token", body)


#: spec of a TokenRequest, and the code
_TOKENS = (
    ({}, 201),
    ({"expirationSeconds": 600}, 201),
    ({"expirationSeconds": 599}, 422),
    ({"expirationSeconds": 0}, 422),
    ({"expirationSeconds": -1}, 422),
    ({"expirationSeconds": 2**32}, 201),
    ({"expirationSeconds": 2**32 + 1}, 422),
    ({"expirationSeconds": "600"}, 400),
    ({"audiences": ["one", "two"]}, 201),
    ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "none"}}, 404),
    ({"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "none"}}, 400),
)

POINTS = (
    # Unknown fields, by how strictly they are to be taken.
    *(
        point(f"an unknown field, {how or 'as usual'}", code, tried(_DEEP, how), fields=_KEPT)
        for how, code in (
            ("", 201),
            ("fieldValidation=Warn", 201),
            ("fieldValidation=Ignore", 201),
            ("fieldValidation=Strict", 400),
        )
    ),
    point("an unknown field at the top", 201, tried(_STRANGE), fields=_KEPT),
    point(
        "unknown fields in lists", 201, tried(_IN_CONTAINER), fields="spec.containers[].colour spec.containers[].ports"
    ),
    point("unknown fields in lists, strictly", 400, tried(_IN_CONTAINER, "fieldValidation=Strict")),
    point("no such strictness", 422, tried(config(), "fieldValidation=Often")),
    point("an unknown field, replacing", 200, made(deployment()), put(_DEEP), fields=_KEPT),
    point("an unknown field, replacing strictly", 400, made(deployment()), put(_DEEP, query="fieldValidation=Strict")),
    point("an unknown field, patching", 200, made(deployment()), merged(_DEEP, {"spec": {"replica": 2}}), fields=_KEPT),
    point(
        "an unknown field, patching strictly",
        422,
        made(deployment()),
        merged(_DEEP, {"spec": {"replica": 2}}, query="fieldValidation=Strict"),
    ),
    point("an unknown field, applied", 500, applied(_DEEP, dry=True)),
    point("an unknown field at the top, applied", 500, applied(_STRANGE, dry=True)),
    point("an unknown field in a container, applied", 500, applied(_IN_CONTAINER, dry=True)),
    point("an unknown field in metadata, applied", 500, applied(config(colour="red"), dry=True)),
    point("an unknown field in a quota, applied", 500, applied(quota({"pods": "1"}, colour="red"), dry=True)),
    point("a field that is twice there", 201, Request("POST", f"{_CONFIGS}?{DRY}", _TWICE), fields="data"),
    point(
        "a field that is twice there, strictly",
        400,
        Request("POST", f"{_CONFIGS}?{DRY}&fieldValidation=Strict", _TWICE),
    ),
    point("a text for a number", 400, tried(_WRONG)),
    point("a text for a number, applied", 500, applied(_WRONG, dry=True)),
    point("a number for a text, applied", 500, applied(config(labels={"a": 1}), dry=True)),
    point("a list for a map", 400, tried(deployment(selector=[]))),
    point("a map for a list", 400, tried(pod() | {"spec": {"containers": {}}})),
    point("a text for a truth", 400, tried(pod(hostNetwork="yes"))),
    point("a quantity that is none", 400, tried(quota({"pods": "many"}))),
    point("a quantity that is a number", 201, tried(quota({"pods": 5})), fields="spec.hard"),
    point("a quantity that is none, applied", 500, applied(quota({"pods": "many"}), dry=True)),
    # What a body must be.
    point("no body", 400, Request("POST", f"{_CONFIGS}?{DRY}", "")),
    point("a body that is a list", 400, Request("POST", f"{_CONFIGS}?{DRY}", "[]")),
    point("a body without kind", 201, Request("POST", f"{_CONFIGS}?{DRY}", {"metadata": {"name": "a"}}), fields="kind"),
    point("a body of another kind", 400, Request("POST", f"{_CONFIGS}?{DRY}", an("Secret", "a"))),
    point("a body in another format", 415, Request("POST", f"{_CONFIGS}?{DRY}", "a", "text/csv")),
    point(
        "a patch in another format", 415, Request("PATCH", f"{_CONFIGS}/kube-root-ca.crt?{DRY}", {}, "application/json")
    ),
    point(
        "applying without a kind", 400, Request("PATCH", f"{_CONFIGS}/a?{DRY}&fieldManager=a", {"metadata": {}}, APPLY)
    ),
    point("applying without a manager", 422, Request("PATCH", f"{_CONFIGS}/a?{DRY}", config("a"), APPLY)),
    point(
        "applying what others manage",
        422,
        Request("PATCH", f"{_CONFIGS}/a?{DRY}&fieldManager={'a' * 129}", config("a"), APPLY),
    ),
    point(
        "forcing a merge patch",
        422,
        Request("PATCH", f"{_CONFIGS}/kube-root-ca.crt?{DRY}&force=true", {"data": {}}, MERGE),
    ),
    point("applying a new uid", 409, applied(config(uid="0a"), dry=True)),
    point("a merge patch of what is not there", 404, Request("PATCH", f"{_CONFIGS}/none?{DRY}", {}, MERGE)),
    point("replacing what is not there", 404, Request("PUT", f"{_CONFIGS}/none?{DRY}", config("none"))),
    point("creating at a name", 405, Request("POST", f"{_CONFIGS}/a?{DRY}", config("a"))),
    point("a dry run of another sort", 422, Request("POST", f"{_CONFIGS}?dryRun=Some", config("a"))),
    point("a dry run leaves nothing", 404, tried(config("dry")), read(config("dry"))),
    point(
        "a dry run of a deletion",
        200,
        made(config()),
        gone(config(), query=DRY),
        read(config()),
        fields="metadata.name",
    ),
    # Conflicts and preconditions.
    point("replacing an old version", 409, made(config()), put(config(resourceVersion="1"))),
    point("replacing without a version", 200, made(config()), put(config(labels={"a": "b"})), fields="metadata.labels"),
    point("creating again", 409, made(config()), made(config())),
    point("deleting another uid", 409, made(config()), gone(config(), {"preconditions": {"uid": "other"}})),
    point("deleting another version", 409, made(config()), gone(config(), {"preconditions": {"resourceVersion": "1"}})),
    point("deleting what is not there", 404, gone(config("none"))),
    point("deleting in no known way", 422, made(config()), gone(config(), query="propagationPolicy=Never")),
    point(
        "deleting in two ways",
        422,
        made(config()),
        gone(config(), {"orphanDependents": True, "propagationPolicy": "Orphan"}),
    ),
    point(
        "deleting in the foreground",
        200,
        made(config()),
        gone(config(), query="propagationPolicy=Foreground"),
        fields=_WIDE,
    ),
    point("deleting an account", 200, made(_ACCOUNT), gone(_ACCOUNT), fields=_WIDE),
    point("deleting a config", 200, made(config()), gone(config()), fields=_WIDE),
    point(
        "a manager that loses",
        409,
        applied(an("ConfigMap", "a", data={"a": "b"})),
        applied(an("ConfigMap", "a", data={"a": "c"}), "fieldManager=other"),
    ),
    point(
        "managers that agree",
        200,
        applied(an("ConfigMap", "a", data={"a": "b"})),
        applied(an("ConfigMap", "a", data={"a": "b"}), "fieldManager=other"),
        fields="data",
    ),
    point("deleting many", 404, *_THREE, Request("DELETE", f"{_CONFIGS}?labelSelector=tier%3Dx"), read(_A)),
    point(
        "deleting many, but not all",
        200,
        *_THREE,
        Request("DELETE", f"{_CONFIGS}?labelSelector=tier%3Dx"),
        read(_C),
        fields="metadata.name",
    ),
    # Lists.
    *(
        point(f"labels {text}", code, *_THREE, Request("GET", f"{_CONFIGS}?labelSelector={text}"), fields=_NAMES)
        for text, code in _SELECTORS
    ),
    *(
        point(f"fields {text}", code, *_THREE, Request("GET", f"{_CONFIGS}?fieldSelector={text}"), fields=_NAMES)
        for text, code in _FIELDS
    ),
    *(
        point(f"a list with {text}", code, *_THREE, Request("GET", f"{_CONFIGS}?{text}"), fields=_NAMES)
        for text, code in _QUERIES
    ),
    point(
        "a page's end",
        200,
        *_THREE,
        Request("GET", f"{_CONFIGS}?limit=9"),
        fields=f"{_NAMES} metadata.continue metadata.remainingItemCount",
    ),
    point("an object of the future", 504, read(config("kube-root-ca.crt"), query="resourceVersion=999999999")),
    point("an object of a version that is none", 500, read(config("kube-root-ca.crt"), query="resourceVersion=x")),
    # Tokens.
    *(
        point(f"a token with {spec}", code, made(_ACCOUNT), _token(spec), fields="spec.expirationSeconds kind")
        for spec, code in _TOKENS
    ),
    point("a token of no account", 404, _token({}, "none")),
    point(
        "a token without a spec",
        201,
        made(_ACCOUNT),
        Request("POST", f"/api/v1/namespaces/{HOME}/serviceaccounts/ci/token", {}),
        fields="spec.expirationSeconds",
    ),
    point("a token, read", 405, made(_ACCOUNT), Request("GET", f"/api/v1/namespaces/{HOME}/serviceaccounts/ci/token")),
    # Owners.
    point(
        "what an owner leaves",
        404,
        made(config("owner")),
        made(config("owned", ownerReferences=["OWNER"])),
        gone(config("owner")),
        Request("GET", f"{_CONFIGS}/owned", until="404"),
    ),
    point(
        "what an owner orphans",
        200,
        made(config("owner")),
        made(config("owned", ownerReferences=["OWNER"])),
        gone(config("owner"), query="propagationPolicy=Orphan"),
        Request("GET", f"{_CONFIGS}/owner", until="404"),
        read(config("owned")),
        fields="metadata.ownerReferences metadata.name",
    ),
    # What is served.
    *(
        point(
            f"a list of {path}",
            200,
            Request("GET", path.replace("*", f"namespaces/{HOME}")),
            fields="kind apiVersion items",
        )
        for path in (
            "/apis/resource.k8s.io/v1/*/resourceclaims",
            "/apis/resource.k8s.io/v1/*/resourceclaimtemplates",
            "/apis/resource.k8s.io/v1/deviceclasses",
            "/apis/resource.k8s.io/v1/resourceslices",
            "/apis/autoscaling/v1/*/horizontalpodautoscalers",
            "/apis/autoscaling/v2/*/horizontalpodautoscalers",
            "/apis/apps/v1/*/daemonsets",
            "/apis/apps/v1/*/controllerrevisions",
            "/api/v1/*/replicationcontrollers",
            "/api/v1/*/endpoints",
            "/api/v1/*/podtemplates",
            "/apis/discovery.k8s.io/v1/*/endpointslices",
            "/apis/coordination.k8s.io/v1/*/leases",
            "/api/v1/nodes",
            "/api/v1/persistentvolumes",
            "/apis/storage.k8s.io/v1/storageclasses",
            "/apis/node.k8s.io/v1/runtimeclasses",
            "/apis/networking.k8s.io/v1/ingressclasses",
        )
    ),
    *(
        point(f"no such thing: {path}", 404, Request("GET", path.replace("*", f"namespaces/{HOME}")))
        for path in ("/apis/apps/v1beta1/*/deployments", "/api/v1/*/configmaps/a/status")
    ),
)
