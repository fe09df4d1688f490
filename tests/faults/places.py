"""The directory as an outsider sees it, and what others have: planted first, compared at the end byte for byte."""

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from environments.kube.client import RESOURCES, ClusterClient, Manifest
from environments.lib.errors import ReconcileError
from tests.faults.asks import NAMES
from tests.live.scim_servers import body_of

DOMAIN = "allotment.internal"
LABEL = f"{DOMAIN}/environment"
SELECTOR = "app.kubernetes.io/managed-by=allotment"
KINDS = ("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding", "ServiceAccount")


class ScimServer(Protocol):
    """One of tests/live/scim_servers.py."""

    url: str

    def admin(self) -> httpx.Client: ...


@dataclass(frozen=True)
class GroupSeen:
    """A group as the directory has it."""

    id: str
    name: str
    external_id: str
    members: tuple[str, ...]  # e-mail addresses, as often as they are there
    raw: str


class DirectorySeen:
    """Plain SCIM, without the portal's client and past its proxy."""

    def __init__(self, server: ScimServer) -> None:
        self._server = server

    def add_people(self, names: tuple[str, ...] = NAMES) -> None:
        with self._server.admin() as admin:
            known = {user["userName"] for user in _all(admin, "/Users")}
            for name in names:
                if name not in known:
                    admin.post("/Users", json=body_of(name)).raise_for_status()

    def add_group(self, name: str, external_id: str) -> None:
        with self._server.admin() as admin:
            user = next(user for user in _all(admin, "/Users") if user["userName"] == "sam")
            reference = {"value": user["id"], "$ref": f"{self._server.url}/Users/{user['id']}"}
            schema = "urn:ietf:params:scim:schemas:core:2.0:Group"
            body = {"schemas": [schema], "displayName": name, "externalId": external_id, "members": [reference]}
            admin.post("/Groups", json=body).raise_for_status()

    def groups(self) -> list[GroupSeen]:
        with self._server.admin() as admin:
            emails = {key: user["emails"][0]["value"] for user in _all(admin, "/Users") for key in _keys(user)}
            return [_group(group, emails) for group in _all(admin, "/Groups")]


def _all(admin: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    """Every resource once, whatever the size of a page."""
    seen: set[str] = set()
    while True:
        page = admin.get(path, params={"startIndex": str(len(seen) + 1)}).raise_for_status().json()
        fresh = [item for item in page.get("Resources") or [] if item["id"] not in seen]
        if not fresh:
            return
        seen |= {item["id"] for item in fresh}
        yield from fresh


def _keys(user: dict[str, Any]) -> tuple[str, str]:
    return user["id"], user["userName"]


def _group(group: dict[str, Any], emails: dict[str, str]) -> GroupSeen:
    members = tuple(sorted(emails.get(one["value"], one["value"]) for one in group.get("members") or []))
    raw = json.dumps(group, sort_keys=True)
    return GroupSeen(group["id"], group["displayName"], str(group.get("externalId") or ""), members, raw)


@dataclass
class Foreign:
    """What others have, with names and labels as ours have them."""

    admin: ClusterClient
    directory: DirectorySeen
    account_namespace: str = "allotment"
    _before: dict[tuple[str, str, str], Manifest] = field(default_factory=dict)
    _groups_before: dict[tuple[str, str], str] = field(default_factory=dict)

    def plant_common(self) -> None:
        """A namespace and an account with all of our labels, and the id of no environment."""
        labels = {"app.kubernetes.io/managed-by": "allotment", LABEL: str(uuid.UUID(int=7, version=4))}
        self._namespace("theirs-with-our-labels", labels)
        self._namespace("theirs-managed-by-another", {"app.kubernetes.io/managed-by": "another"})
        account = {"name": "member-of-another", "namespace": self.account_namespace, "labels": labels}
        self._create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        self._group("theirs")

    def plant(self, what: str, namespace: str) -> None:
        """Take the name of an environment that is asked for next."""
        if what == "namespace":
            self._namespace(namespace, {"app.kubernetes.io/managed-by": "allotment"})
        else:
            for role in ("admin", "developer"):
                self._group(f"{namespace}-{role}")

    def differences(self) -> list[str]:
        """What is not as it was."""
        now = {group.id: group.raw for group in self.directory.groups()}
        found = [f"group {name}" for (name, key), raw in self._groups_before.items() if now.get(key) != raw]
        for (kind, namespace, name), before in self._before.items():
            if self.admin.get(kind, name, namespace) != before:
                found.append(f"{kind} {namespace}/{name}")
        return [f"somebody else's {what} was changed" for what in found]

    def _namespace(self, name: str, labels: dict[str, str]) -> None:
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "environment-admin"}
        metadata = {"namespace": name, "labels": labels}
        self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        subject = {"kind": "User", "name": "theirs@example.com", "apiGroup": "rbac.authorization.k8s.io"}
        binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "roleRef": role}
        self._create(binding | {"metadata": metadata | {"name": "environment-admin"}, "subjects": [subject]})
        policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"podSelector": {}}}
        self._create(policy | {"metadata": metadata | {"name": "deny-all"}})
        data = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"whose": "theirs"}}
        self._create(data | {"metadata": {"namespace": name, "name": "theirs"}})

    def _create(self, manifest: Manifest) -> None:
        metadata = manifest["metadata"]
        key = manifest["kind"], metadata.get("namespace", ""), metadata["name"]
        for _ in range(40):  # an API server that was just killed, or that has not seen the namespace yet
            with contextlib.suppress(ReconcileError):
                self.admin.get(*(key[0], key[2], key[1])) or self.admin.create(manifest)
                self._before[key] = self.admin.get(key[0], key[2], key[1]) or {}
                return
            time.sleep(0.5)
        raise TimeoutError(f"{key} could not be planted")

    def _group(self, name: str) -> None:
        self.directory.add_group(name, f"another/{name}")
        seen = next(group for group in self.directory.groups() if group.name == name)
        self._groups_before[name, seen.id] = seen.raw


def labelled(admin: ClusterClient) -> list[Manifest]:
    """Every object with our labels, wherever it is, of every kind that the portal makes."""
    kinds = [kind for kind in RESOURCES if kind not in ("Event", "ClusterRole", "ClusterRoleBinding")]
    return [
        item | {"kind": kind}
        for kind in kinds
        for item in admin.list_objects(kind, labels=SELECTOR)
        if LABEL in (item["metadata"].get("labels") or {})
    ]
