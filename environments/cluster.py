"""The Kubernetes API as the portal uses it. The only importer of the `kubernetes` client's API classes.

Objects are plain dicts, as in a manifest: a list of ten thousand needs no model objects, and what the tests
compare is what a person reads in YAML. Every call has a timeout; every failure is one of the two errors.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import urllib3
import yaml
from kubernetes import client
from kubernetes.config import ConfigException, kube_config
from kubernetes.config.incluster_config import InClusterConfigLoader
from urllib3.exceptions import HTTPError

from environments.cluster_answers import NotFoundError, translate, unreachable
from environments.errors import PermanentError, TemporaryError
from environments.models.fields import readable

Manifest = dict[str, Any]

FIELD_MANAGER = "allotment"
CONNECT_TIMEOUT, READ_TIMEOUT = 3, 10  # seconds
PAGE = 500  # objects a list call, the size that client-go's pager uses
POOL = 16  # connections kept to one API server


@dataclass(frozen=True)
class Resource:
    """Where a kind is served. `prefix` is `/api/v1` or `/apis/<group>/<version>`."""

    prefix: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.prefix.split("/")[2] if self.prefix.startswith("/apis/") else ""


_CORE, _RBAC, _NET = "/api/v1", "/apis/rbac.authorization.k8s.io/v1", "/apis/networking.k8s.io/v1"

RESOURCES = {
    "Namespace": Resource(_CORE, "namespaces", namespaced=False),
    "ResourceQuota": Resource(_CORE, "resourcequotas"),
    "LimitRange": Resource(_CORE, "limitranges"),
    "NetworkPolicy": Resource(_NET, "networkpolicies"),
    "RoleBinding": Resource(_RBAC, "rolebindings"),
    "ClusterRole": Resource(_RBAC, "clusterroles", namespaced=False),
    "ClusterRoleBinding": Resource(_RBAC, "clusterrolebindings", namespaced=False),
    "ServiceAccount": Resource(_CORE, "serviceaccounts"),
    "Pod": Resource(_CORE, "pods"),
    "Event": Resource(_CORE, "events"),
    "Service": Resource(_CORE, "services"),
    "ConfigMap": Resource(_CORE, "configmaps"),
    "Secret": Resource(_CORE, "secrets"),
    "PersistentVolumeClaim": Resource(_CORE, "persistentvolumeclaims"),
    "Role": Resource(_RBAC, "roles"),
    "Deployment": Resource("/apis/apps/v1", "deployments"),
    "StatefulSet": Resource("/apis/apps/v1", "statefulsets"),
    "Job": Resource("/apis/batch/v1", "jobs"),
    "CronJob": Resource("/apis/batch/v1", "cronjobs"),
    "HorizontalPodAutoscaler": Resource("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": Resource("/apis/policy/v1", "poddisruptionbudgets"),
    "Ingress": Resource(_NET, "ingresses"),
}


@dataclass(frozen=True)
class Question:
    """May somebody do this? The attributes of a (Self)SubjectAccessReview."""

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


class Connection(Protocol):
    """What is needed to reach a cluster: a `Cluster` row, or anything with these attributes."""

    credential_kind: str
    server: str
    certificate_authority: str
    credential: str


class ClusterClient:
    """One API server, spoken to as the portal's own account. Safe to use from several threads."""

    def __init__(
        self,
        connection: Connection,
        *,
        timeout: tuple[float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT),
        field_manager: str = FIELD_MANAGER,
    ) -> None:
        """Raises PermanentError where the connection's data cannot be used."""
        self._timeout = timeout
        self._field_manager = field_manager
        self._api = client.ApiClient(_configuration(connection))

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self._api.configuration.host)

    @property
    def certificate_authority(self) -> str:
        """The certificate authority that is trusted, as PEM; empty: the system's."""
        configuration = self._api.configuration
        if configuration.ca_cert_data:
            return str(configuration.ca_cert_data)
        path = configuration.ssl_ca_cert
        return Path(path).read_text(encoding="ascii") if path else ""

    def version(self) -> str:
        """The server's version, such as `v1.36.2`."""
        return str(self._request("GET", "/version").get("gitVersion", ""))

    def get(self, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """An object, None where there is none."""
        try:
            return self._request("GET", _path(kind, namespace, name))
        except NotFoundError:
            return None

    def apply(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Server-side apply as the portal's field manager; the object as it then is.

        Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
        """
        metadata = manifest["metadata"]
        path = _path(manifest["kind"], metadata.get("namespace", ""), metadata["name"])
        query = {"fieldManager": self._field_manager, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        return self._request("PATCH", path, query=query, body=manifest, content_type="application/apply-patch+yaml")

    def overwrite(self, manifest: Manifest) -> Manifest:
        """JSON merge patch of an object that is there: maps are merged, lists replaced as a whole, whoever set them.

        Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
        """
        metadata = manifest["metadata"]
        path = _path(manifest["kind"], metadata.get("namespace", ""), metadata["name"])
        query = {"fieldManager": self._field_manager}
        return self._request("PATCH", path, query=query, body=manifest, content_type="application/merge-patch+json")

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create an object that must not exist yet. Raises AlreadyExistsError where it does."""
        query = {"fieldManager": self._field_manager} | ({"dryRun": "All"} if dry_run else {})
        path = _path(manifest["kind"], manifest["metadata"].get("namespace", ""))
        return self._request("POST", path, query=query, body=manifest)

    def delete(self, kind: str, name: str, namespace: str = "", *, uid: str = "") -> bool:
        """Delete an object; False where there is none. With a uid, only the object that has it.

        Raises TemporaryError (Conflict) where another object now bears the name.
        """
        options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            self._request("DELETE", _path(kind, namespace, name), body=options)
        except NotFoundError:
            return False
        return True

    def list_objects(
        self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "", limit: int = PAGE
    ) -> Iterator[Manifest]:
        """All objects of a kind, page by page; namespaced kinds over all namespaces unless one is given.

        `labels` and `fields` are selectors; `limit` is the size of a page.
        """
        query = {"limit": str(limit)}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        while True:
            page = self._request("GET", _path(kind, namespace), query=query)
            yield from page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    def create_token(self, service_account: str, namespace: str, *, seconds: int) -> str:
        """A bearer token for a ServiceAccount that ends by itself (TokenRequest). Raises NotFoundError without one."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        path = f"{_path('ServiceAccount', namespace, service_account)}/token"
        return str(self._request("POST", path, body=body)["status"]["token"])

    def may(self, question: Question, user: str, groups: list[str]) -> Answer:
        """Ask the cluster whether a person may (SubjectAccessReview)."""
        return self._review("SubjectAccessReview", question, {"user": user, "groups": groups})

    def may_i(self, question: Question) -> Answer:
        """Ask the cluster whether the portal's own account may (SelfSubjectAccessReview)."""
        return self._review("SelfSubjectAccessReview", question, {})

    def whoami(self) -> str:
        """The name by which the cluster knows the portal's own account (SelfSubjectReview)."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        result = self._request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=body)
        return str(result["status"]["userInfo"]["username"])

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
        status = result.get("status") or {}
        return Answer(bool(status.get("allowed")), str(status.get("reason") or ""))

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if body else {})
        try:
            request = self._api.param_serialize(
                method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = self._api.call_api(*request[:4], _request_timeout=self._timeout)
            content = response.read()
        except (HTTPError, OSError, client.ApiException) as error:
            raise unreachable(error) from error
        result = _decode(content)
        if response.status >= 300:
            raise translate(response.status, result, response.getheaders().get("Retry-After"))
        if not isinstance(result, dict):
            raise TemporaryError("The cluster's answer is not a Kubernetes object.", reason="BadAnswer")
        return result


_clients: dict[int, tuple[datetime, ClusterClient]] = {}
_clients_lock = threading.Lock()


class ClusterRow(Connection, Protocol):
    """A `Cluster` row, as the cache of clients needs it."""

    pk: int
    updated_at: datetime


def connect(cluster: ClusterRow) -> ClusterClient:
    """The client for a cluster, shared by all threads until its row changes."""
    with _clients_lock:
        cached = _clients.get(cluster.pk)
        if cached is None or cached[0] != cluster.updated_at:
            cached = (cluster.updated_at, ClusterClient(cluster))
            _clients[cluster.pk] = cached
        return cached[1]


def _path(kind: str, namespace: str, name: str = "") -> str:
    resource = RESOURCES[kind]
    parts = [resource.prefix]
    if resource.namespaced and namespace:
        parts.append(f"namespaces/{namespace}")
    parts.append(resource.plural)
    if name:
        parts.append(name)
    return "/".join(parts)


def _configuration(connection: Connection) -> client.Configuration:
    configuration = client.Configuration()
    credential = readable(connection.credential)
    try:
        match connection.credential_kind:
            case "in_cluster":
                InClusterConfigLoader(
                    token_filename="/var/run/secrets/kubernetes.io/serviceaccount/token",  # noqa: S106
                    cert_filename="/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
                    try_refresh_token=True,
                ).load_and_set(configuration)
            case "kubeconfig":
                _load_kubeconfig(credential, configuration)
            case _:
                configuration.host = connection.server.rstrip("/")
                configuration.api_key = {"BearerToken": f"Bearer {credential}"}
                if connection.certificate_authority:
                    configuration.ca_cert_data = connection.certificate_authority
    except (ConfigException, yaml.YAMLError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise PermanentError(
            "The cluster's credential cannot be read. A platform admin has to enter it again.",
            reason="BadCredential",
        ) from error
    # Retrying is the reconcile's business; a redirect is an answer, and never gets the credential.
    configuration.retries = urllib3.Retry(0, redirect=False)
    configuration.connection_pool_maxsize = POOL
    return configuration


_FILE_KEYS = ("tokenFile", "client-certificate", "client-key", "certificate-authority")


def _load_kubeconfig(text: str, configuration: client.Configuration) -> None:
    config = yaml.safe_load(text)
    users = [user.get("user") or {} for user in config.get("users") or []]
    clusters = [cluster.get("cluster") or {} for cluster in config.get("clusters") or []]
    # An exec or auth-provider entry would run a program of the kubeconfig's choosing inside the portal.
    if any("exec" in user or "auth-provider" in user for user in users):
        raise ConfigException("exec and auth-provider entries are not supported")
    # A path would be read from the portal's own disk, and what is there sent to a server of the kubeconfig's choosing.
    if any(key in entry for entry in (*users, *clusters) for key in _FILE_KEYS):
        raise ConfigException("files are not supported")
    kube_config.load_kube_config_from_dict(config, client_configuration=configuration, persist_config=False)


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
