"""Requests as anybody to a real API server, and its policies put in force."""

import json

import urllib3

from environments.kube import admission
from tests.contract.arrange import APPLY, ClusterEndpoint, eventually, namespace

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
BASELINE = {"pod-security.kubernetes.io/enforce": "baseline"}
PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


class Somebody:
    """Plain requests as anybody: an administrator impersonates them. Answers are (status, body)."""

    def __init__(self, endpoint: ClusterEndpoint, user: str, *groups: str) -> None:
        way = endpoint.admin
        self._pool = urllib3.PoolManager(retries=False, timeout=20, ca_cert_data=way.certificate_authority)
        self._server = way.server
        self._headers = urllib3.HTTPHeaderDict({"Authorization": f"Bearer {way.credential}", "Impersonate-User": user})
        for group in (*groups, "system:authenticated"):
            self._headers.add("Impersonate-Group", group)

    def __call__(self, method: str, path: str, body=None, content_type: str = "application/json"):
        headers = self._headers.copy()
        headers["Content-Type"] = content_type
        content = None if body is None else json.dumps(body)
        response = self._pool.request(method, self._server + path, body=content, headers=headers)
        try:
            return response.status, json.loads(response.data)
        except ValueError:
            return response.status, {"message": response.data.decode()}  # 404 page not found


def install(endpoint: ClusterEndpoint, *, label_domain: str, break_glass: str) -> None:
    """Put all policies in force."""
    admin, portal = (Somebody(endpoint, name, "system:masters") for name in ("admin", admission.PORTAL))
    # The last first: once that about namespaces is in force, the API server has seen those before it.
    documents = admission.documents(label_domain=label_domain, break_glass=[break_glass])
    assert documents
    for document in reversed(documents):
        path = f"{ADMISSION}/{PLURALS[document['kind']]}/{document['metadata']['name']}?fieldManager=test&force=true"
        status, answer = admin("PATCH", path, document, APPLY)
        assert status in (200, 201), answer
    body = namespace("probe", labels={f"{label_domain}/environment": "probe"} | BASELINE)
    assert portal("POST", "/api/v1/namespaces", body)[0] in (201, 409)
    probe = "/api/v1/namespaces/probe?dryRun=All"
    eventually(lambda: denied(admin("DELETE", probe)), "the policies are in force")


def denied(answer: tuple[int, dict], words: str = "") -> bool:
    """Whether it was one of our policies that refused: not RBAC, not a schema; in these words, perhaps."""
    status, body = answer
    return status == 403 and "ValidatingAdmissionPolicy 'allotment-" in body["message"] and words in body["message"]
