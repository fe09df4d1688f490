"""The Kubernetes API as the portal uses it. The only importer of the `kubernetes` client's API classes.

Objects are plain dicts, as in a manifest: a list of ten thousand needs no model objects, and what the tests
compare is what a person reads in YAML. Every call has a timeout; every failure is one of the two errors.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlencode

from kubernetes import client
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from environments.kube import api_warnings, lists
from environments.kube import transport as cluster_transport
from environments.kube.answers import (
    NamespaceGoneError,
    NotFoundError,
    bad_answer,
    checked_object,
    decode,
    is_denial,
    read_object,
    read_page,
    too_big,
    translate,
    unreachable,
)
from environments.kube.configuration import Connection, configuration
from environments.kube.kinds import RESOURCES, path_of
from environments.kube.lists import PAGE
from environments.kube.memory import Memory
from environments.kube.tokens import IssuedToken, issued_token
from environments.lib import bounds, log_context, metrics
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError

__all__ = ["FIELD_MANAGER", "PAGE", "RESOURCES", "Answer", "ClusterClient", "Manifest", "Question", "connect"]

Manifest = dict[str, Any]
Patience = tuple[float, float]  # seconds: to connect, to answer

FIELD_MANAGER = "allotment"
CONNECT_TIMEOUT, READ_TIMEOUT = 3, 10  # seconds
MAX_SECONDS = 30  # for one answer, however slowly it trickles in
MAX_BYTES = 32 * 1024 * 1024  # of one answer: 500 objects of 64 KiB
_APPLY = "application/apply-patch+yaml"
MIN_SECRET = 8  # characters: shorter ones are in every answer


@dataclass(frozen=True)
class Question:
    """Whether a person may do this. The attributes of a (Self)SubjectAccessReview."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        dotted = f"{self.resource}.{self.group}" if self.group else self.resource
        which = f" {self.name}" if self.name else ""
        return f"{self.verb} {dotted}{which}{where}"


@dataclass(frozen=True)
class Answer:
    """What the cluster says to a question, and its reason where it gives one."""

    allowed: bool
    reason: str = ""


class ClusterClient:
    """One API server, spoken to as the portal's own account. Safe to use from several threads."""

    def __init__(
        self,
        connection: Connection,
        *,
        timeout: Patience = (CONNECT_TIMEOUT, READ_TIMEOUT),
        field_manager: str = FIELD_MANAGER,
    ) -> None:
        """Raises PermanentError where the connection's data cannot be used."""
        self.memory = Memory()
        self._timeout = timeout
        self._field_manager = field_manager
        trust = configuration(connection)
        self._api = client.ApiClient(trust)
        log_context.conceal(*(key.removeprefix("Bearer ") for key in self._api.configuration.api_key.values()))
        self._pools = cluster_transport.pools(trust.context(), proxy=trust.proxy, server_name=trust.tls_server_name)
        self._name = ""  # of the portal's account, once it was asked for

    def close(self) -> None:
        """Close the kept connections."""
        self._pools.clear()

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self._api.configuration.host)

    @property
    def tls_server_name(self) -> str:
        """The name that the server's certificate must have; empty: that of its address."""
        return str(self._api.configuration.tls_server_name or "")

    @property
    def certificate_authority(self) -> str:
        """The certificate authority that is trusted, as PEM; empty: the system's."""
        return str(self._api.configuration.ca_cert_data or "")

    def version(self) -> str:
        """The server's version, such as `v1.36.2`."""
        return str(self._request("GET", "/version").get("gitVersion", ""))[:60]

    def get(self, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """An object, None where there is none."""
        try:
            return checked_object(kind, self._request("GET", path_of(kind, namespace, name)))
        except NotFoundError:
            return None

    def apply(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Server-side apply as the portal's field manager; the object as it then is.

        Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
        """
        metadata = manifest["metadata"]
        path = path_of(manifest["kind"], metadata.get("namespace", ""), metadata["name"])
        query = {"fieldManager": self._field_manager, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        try:
            answer = self._request("PATCH", path, query=query, body=manifest, content_type=_APPLY)
        except NamespaceGoneError as error:
            raise TemporaryError(
                "The namespace was deleted. The portal creates it again.", reason="NamespaceGone"
            ) from error
        return checked_object(manifest["kind"], answer)

    def overwrite(self, manifest: Manifest) -> Manifest:
        """JSON merge patch of an object that is there: maps are merged, lists replaced as a whole, by any manager.

        Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
        """
        metadata = manifest["metadata"]
        path = path_of(manifest["kind"], metadata.get("namespace", ""), metadata["name"])
        query = {"fieldManager": self._field_manager}
        answer = self._request("PATCH", path, query=query, body=manifest, content_type="application/merge-patch+json")
        return checked_object(manifest["kind"], answer)

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create an object that must not exist yet. Raises AlreadyExistsError where it does."""
        query = {"fieldManager": self._field_manager} | ({"dryRun": "All"} if dry_run else {})
        path = path_of(manifest["kind"], manifest["metadata"].get("namespace", ""))
        return checked_object(manifest["kind"], self._request("POST", path, query=query, body=manifest))

    def delete(self, kind: str, name: str, namespace: str = "", *, uid: str = "") -> bool:
        """Delete an object; False where there is none. With a uid, only the object that has it.

        Raises TemporaryError (Conflict) where another object now bears the name.
        """
        options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            self._request("DELETE", path_of(kind, namespace, name), body=options)
        except NotFoundError:
            return False
        return True

    def list_objects(
        self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "", limit: int = PAGE
    ) -> Iterator[Manifest]:
        """All objects of a kind; namespaced kinds over all namespaces unless one is given.

        `labels` and `fields` are selectors; `limit` is the size of a page. Raises as `lists.pages`.
        """
        for page in self.list_pages(kind, namespace, labels=labels, fields=fields, limit=limit):
            yield from page

    def list_pages(
        self,
        kind: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = PAGE,
        lean: bool = False,
    ) -> Iterator[list[Manifest]]:
        """The same page by page. `lean`: only what is compared with manifests is wanted, no managedFields."""
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        query = {name: text for name, text in selectors.items() if text}
        path, read = path_of(kind, namespace), partial(read_page, kind, lean=lean)
        return lists.pages(kind, limit, lambda part: self._call("GET", path, query=query | part, read=read))

    def create_token(self, service_account: str, namespace: str, *, seconds: int) -> IssuedToken:
        """A bearer token for a ServiceAccount that ends by itself (TokenRequest). Raises NotFoundError without one."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        path = f"{path_of('ServiceAccount', namespace, service_account)}/token"
        return issued_token(self._request("POST", path, body=body), seconds)

    def may(self, question: Question, user: str, groups: list[str]) -> Answer:
        """Ask the cluster whether a person may (SubjectAccessReview)."""
        return self._review("SubjectAccessReview", question, {"user": user, "groups": groups})

    def may_i(self, question: Question) -> Answer:
        """Ask the cluster whether the portal's own account may (SelfSubjectAccessReview)."""
        return self._review("SelfSubjectAccessReview", question, {})

    def whoami(self) -> str:
        """The name by which the cluster knows the portal's own account (SelfSubjectReview), asked for once."""
        if self._name:
            return self._name
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        result = self._request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=body)
        user = checked_object("SelfSubjectReview", result).get("status", {}).get("userInfo")
        name = user.get("username") if isinstance(user, dict) else None
        if not isinstance(name, str) or not 0 < len(name) <= 400:
            raise bad_answer("does not say who the portal is")
        self._name = name
        return name

    def _review(self, kind: str, question: Question, subject: Manifest) -> Answer:
        attributes = {
            "verb": question.verb,
            "resource": question.resource.partition("/")[0],
            "subresource": question.resource.partition("/")[2],
            "group": question.group,
            "namespace": question.namespace,
            "name": question.name,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": kind,
            "spec": {"resourceAttributes": attributes} | subject,
        }
        result = self._request("POST", f"/apis/authorization.k8s.io/v1/{kind.lower()}s", body=body)
        status = checked_object(kind, result).get("status", {})
        return Answer(status.get("allowed") is True, str(status.get("reason") or "")[:400])

    def _request(self, method: str, path: str, **options: Any) -> Manifest:
        answer: Manifest = self._call(method, path, **options)[0]
        return answer

    def _call(self, method: str, path: str, **options: Any) -> tuple[Any, int]:
        """The answer, as `read` reads it, and how many bytes it had.

        An API server that was just started refuses everything until it has read the roles. So a refusal counts only
        where the server says of itself that it is ready, and repeats it.
        """
        try:
            return self._ask(method, path, **options)
        except PermanentError as error:
            if not is_denial(error):
                raise
        try:
            self._ask("GET", "/readyz", read=len)  # a text
        except ReconcileError as error:
            raise TemporaryError("The cluster is still starting.", reason="Starting") from error
        return self._ask(method, path, **options)

    @metrics.called("cluster")
    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
        read: Callable[[bytes], Any] = read_object,
    ) -> tuple[Any, int]:
        # Not by the client's own `call_api`: for models and forms, it copies and looks through all that is sent.
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        sent = json.dumps(body).encode() if body else None
        headers = self._headers() | ({"Content-Type": content_type} if body else {})
        connect, wait = self._timeout
        timeout = Timeout(connect=connect, read=wait)
        with bounds.within(MAX_SECONDS, MAX_BYTES) as budget:
            try:
                response = self._pools.urlopen(
                    method, url, redirect=False, body=sent, headers=headers, timeout=timeout, preload_content=False
                )
                content = cluster_transport.read(response)
            except (HTTPError, OSError) as error:
                raise (too_big() if budget.is_spent else unreachable(error)) from error
        content = self._without_secrets(content)
        api_warnings.note(path, (self._clean(each) for each in response.headers.getlist("Warning")))
        if response.status >= 300:
            raise translate(response.status, decode(content), response.headers.get("Retry-After"))
        return read(content), len(content)

    def _headers(self) -> dict[str, str]:
        # A token from a file is read anew here, once it is due.
        token = self._api.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        headers = {"Accept": "application/json", "User-Agent": self._api.user_agent}
        return headers | ({"Authorization": token} if token else {})

    def _clean(self, text: str) -> str:
        return self._without_secrets(text.encode()).decode()

    def _without_secrets(self, content: bytes) -> bytes:
        """An answer without the credential: a server, or a proxy before it, may quote the request."""
        for key in self._api.configuration.api_key.values():
            token = key.removeprefix("Bearer ").encode()
            content = content.replace(token, b"...") if len(token) >= MIN_SECRET else content
        return content


class GoneCluster(ClusterClient):
    """The client for a lost cluster: finds nothing, creates nothing and makes no calls."""

    server = certificate_authority = tls_server_name = ""  # the portal no longer connects to it

    def __init__(self) -> None:
        self._timeout, self._field_manager = (CONNECT_TIMEOUT, READ_TIMEOUT), FIELD_MANAGER
        self._name, self.memory = "", Memory()

    def close(self) -> None:
        """Close the kept connections."""
        self._pools.clear()

    def get(self, kind: str, name: str, namespace: str = "") -> None:
        """Nothing is there."""

    def delete(self, kind: str, name: str, namespace: str = "", *, uid: str = "") -> bool:
        """Nothing was there."""
        return False

    def list_pages(self, kind: str, namespace: str = "", **_: Any) -> Iterator[list[Manifest]]:
        """Nothing of any kind."""
        return iter(())

    def _call(self, method: str, path: str, **options: Any) -> tuple[Any, int]:
        raise PermanentError("A platform admin marked this cluster as lost.", reason="ClusterGone")


_clients: dict[tuple[int, Patience], tuple[datetime, ClusterClient]] = {}
_clients_lock = threading.Lock()


class ClusterRow(Connection, Protocol):
    """A `Cluster` row, as the cache of clients needs it."""

    pk: int
    updated_at: datetime
    lost_at: datetime | None


def connect(cluster: ClusterRow, *, timeout: Patience = (CONNECT_TIMEOUT, READ_TIMEOUT)) -> ClusterClient:
    """The client for a cluster, shared by all threads until its row changes. A page that waits has less patience."""
    if cluster.lost_at:
        return GoneCluster()
    key = (cluster.pk, timeout)
    with _clients_lock:
        cached = _clients.get(key)
        if cached is None or cached[0] != cluster.updated_at:
            cached = (cluster.updated_at, ClusterClient(cluster, timeout=timeout))
            _clients[key] = cached
        return cached[1]
