"""The Gateway API on a real API server, as far as routes need it: a CustomResourceDefinition for each."""

from environments.kube.client import Manifest
from tests.contract.arrange import ClusterEndpoint, eventually
from tests.contract.somebody import Somebody

GROUP = "gateway.networking.k8s.io"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ROUTES = {"HTTPRoute": "httproutes", "GRPCRoute": "grpcroutes", "TLSRoute": "tlsroutes"}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_OBJECTS = {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def install_gateway(endpoint: ClusterEndpoint) -> None:
    """Serve the routes of the Gateway API. A simulated cluster does so by itself."""
    if endpoint.name == "simulated":
        return
    admin = Somebody(endpoint, "admin", "system:masters")
    for kind, plural in ROUTES.items():
        status, answer = admin("POST", _CRDS, _definition(kind, plural))
        assert status in (201, 409), answer
    for plural in ROUTES.values():
        path = f"/apis/{GROUP}/v1/namespaces/default/{plural}"
        eventually(lambda path=path: admin("GET", path)[0] == 200, f"{plural} are served")


def _definition(kind: str, plural: str) -> Manifest:
    spec = {"type": "object", "properties": {"hostnames": _TEXTS, "parentRefs": _OBJECTS, "rules": _OBJECTS}}
    schema = {"type": "object", "properties": {"spec": spec}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    # The API server asks for this of groups in k8s.io.
    approved = {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/2997"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "annotations": approved},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }
