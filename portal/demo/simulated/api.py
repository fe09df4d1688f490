"""Handles one request: authentication, authorization, then the operation itself.

This module uses no sockets: the HTTP server and the simulated workloads both call `Api.handle`.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from portal.demo.simulated import (
    advice,
    decoding,
    discovery,
    fence,
    options,
    patches,
    protobuf,
    rbac,
    reviews,
    subresources,
    tables,
    versions,
    watching,
)
from portal.demo.simulated.accounts import Accounts
from portal.demo.simulated.kinds import Kind, Object
from portal.demo.simulated.media import Accepted, accepted
from portal.demo.simulated.routing import Target, route
from portal.demo.simulated.selectors import Predicate, by_fields, by_labels
from portal.demo.simulated.statuses import (
    StatusError,
    bad_request,
    method_not_allowed,
    no_such_resource,
    not_found,
)
from portal.demo.simulated.store import Entry, Store
from portal.demo.simulated.writing import Writer, Writing

APPLY_PATCH = "application/apply-patch+yaml"
BODIES = ("", "application/json", "application/yaml", protobuf.CONTENT_TYPE)


@dataclass(frozen=True)
class Request:
    """A request to the API."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    authorization: str = ""
    content_type: str = ""
    body: bytes = b""
    accept: str = ""


@dataclass(frozen=True)
class Response:
    """A response of the API. With `stream`, the body comes piece by piece, as long as the watch lasts."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    stream: Iterator[bytes] | None = None


class Api:
    """The API server without its socket. Thread-safe: it handles one request at a time."""

    def __init__(self, store: Store, lock: threading.RLock, accounts: Accounts, writer: Writer) -> None:
        self._store, self._lock, self._accounts, self._writer = store, lock, accounts, writer

    def handle(self, request: Request) -> Response:
        """Handle a request; errors become responses."""
        try:
            with self._lock:
                return self._versioned(request)
        except StatusError as error:
            return failure(error)

    def _versioned(self, request: Request) -> Response:
        """The answer to a request, in the version that its path names."""
        version = versions.of(request.path)
        if version is None:
            return self._handle(request)
        path = version.stored_path + request.path.removeprefix(version.path)
        response = self._handle(replace(request, path=path, body=versions.stored_body(version, request.body)))
        if response.stream is not None:
            return replace(response, stream=versions.shown_watch(version, response.stream))
        return replace(response, body=versions.shown(version, response.body))

    def _handle(self, request: Request) -> Response:
        user = self._accounts.authenticate(request.authorization)
        target = route(request.method, request.path, is_watch=request.query.get("watch") in ("1", "true"))
        rbac.require(self._store, user, target.attributes)
        if not target.resource:
            return _described(request)
        if reviews.is_review(target.group, target.resource):
            if target.verb != "create":
                raise method_not_allowed()
            return _answer(201, reviews.answer(self._store, target.resource, user, _decode(request)))
        return self._resource(target.kind(), target, request, user)

    def _resource(self, kind: Kind, target: Target, request: Request, user: rbac.User) -> Response:
        how = Writing(
            user,
            request.query.get("fieldManager", "") if request.content_type == APPLY_PATCH else _manager(request),
            request.query.get("dryRun") == "All",
            target.subresource,
            request.query.get("fieldValidation") or decoding.WARN,
            tuple(decoding.repeated(request.body)) if request.method in ("POST", "PUT") else (),
        )
        if text := advice.DEPRECATED.get((kind.group, kind.plural)):
            how.warnings.append(text)
        if target.verb in options.VERBS:
            options.check(target.verb, request.query, is_apply=request.content_type == APPLY_PATCH)
        return replace(self._answered(kind, target, request, how), warnings=tuple(how.warnings))

    def _answered(self, kind: Kind, target: Target, request: Request, how: Writing) -> Response:
        namespace = target.namespace if kind.namespaced else ""
        match target.verb:
            case "get" if _is_served(kind, target.subresource):
                return self._get(kind, target, request)
            case "list" | "watch":
                return (self._list if target.verb == "list" else self._watch)(kind, target, request)
            case "create" if target.name or not kind.namespaced or target.namespace:
                return self._create(kind, target, request, how)
            case "update" | "patch" if target.name and target.subresource in ("scale", "resize"):
                return self._below(kind, target, request, how)
            case "update" if target.name and target.subresource in ("", "status"):
                body = _decode(request)
                return _answer(200, self._writer.update(kind, namespace, target.name, body, how))
            case "patch" if target.name and target.subresource in ("", "status"):
                return self._patch(kind, target, request, how)
            case "delete" if not target.subresource:
                deletion = options.of_deletion(request.query, _decode(request) if request.body else {})
                return _answer(200, self._writer.delete(kind, namespace, target.name, deletion, how))
            case "deletecollection" if target.namespace:
                return self._delete_collection(kind, target, request.query, how)
        if target.subresource in ("scale", "resize"):
            raise no_such_resource()
        raise method_not_allowed()

    def _below(self, kind: Kind, target: Target, request: Request, how: Writing) -> Response:
        """A change of a workload's size, or of a pod's resources."""
        if not _is_served(kind, target.subresource):
            raise no_such_resource()
        live = self._store.get(kind, target.name, target.namespace)
        if live is None:
            raise not_found(kind, target.name)
        is_scale = target.subresource == "scale"
        if target.verb == "patch":
            shown, what = (subresources.scale_of(live), subresources.SCALE) if is_scale else (live, kind)
            wanted = patches.patched(what, shown, _decode_patch(request), request.content_type)
        else:
            wanted = _decode(request)
        change = self._writer.scale if is_scale else self._writer.resize
        return _answer(200, change(kind, target.namespace, target.name, wanted, how))

    def _evict(self, kind: Kind, target: Target, how: Writing) -> Response:
        self._writer.delete(kind, target.namespace, target.name, {}, how)
        return _answer(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})

    def _get(self, kind: Kind, target: Target, request: Request) -> Response:
        entry = self._store.entry(kind, target.name, target.namespace)
        if entry is None:
            raise not_found(kind, target.name)
        options.require_reached(request.query, self._store.resource_version)
        if target.subresource == "scale":
            return _answer(200, subresources.scale_of(entry.object))
        if accepted(request.accept).is_table:
            version = {"resourceVersion": entry.object["metadata"]["resourceVersion"]}
            return _answer(200, tables.table(kind, [entry.object], version, _included(request)))
        return Response(200, _whole(kind, entry))

    def _list(self, kind: Kind, target: Target, request: Request) -> Response:
        entries, token, remaining = self._selected(kind, target, request.query)
        metadata: Object = {"resourceVersion": str(self._store.resource_version)}
        if token:
            metadata["continue"] = token
        if remaining:
            metadata["remainingItemCount"] = remaining
        if accepted(request.accept).is_table:
            return _answer(200, tables.table(kind, (each.object for each in entries), metadata, _included(request)))
        head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata}
        items = b",".join(entry.json for entry in entries)
        return Response(200, json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"items":[' + items + b"]}")

    def _watch(self, kind: Kind, target: Target, request: Request) -> Response:
        namespace = target.namespace if kind.namespaced else ""
        shown = _shown(kind, request)
        watch = watching.Watch(kind, namespace, _predicates(kind, request.query), request.query, shown)
        return Response(200, b"", stream=watching.stream(self._store, self._lock, watch))

    def _selected(self, kind: Kind, target: Target, query: dict[str, str]) -> tuple[list[Entry], str, int]:
        try:
            limit = int(query.get("limit") or 0)
        except ValueError as error:
            raise bad_request(f'strconv.ParseInt: parsing "{query["limit"]}": invalid syntax') from error
        namespace = target.namespace if kind.namespaced else ""
        if query.get("resourceVersion") == "0":  # from the cache, which knows no pages
            limit = 0
        token = query.get("continue", "")
        return self._store.page(kind, namespace, _predicates(kind, query), limit=limit, token=token)

    def _create(self, kind: Kind, target: Target, request: Request, how: Writing) -> Response:
        if kind.kind == "ServiceAccount" and target.subresource == "token":
            write = fence.Write(kind, target.name, target.namespace, {}, subresource="token", dry_run=how.dry_run)
            fence.admit(self._store, how.user.name, write)
            answer = self._token(target, _decode(request), how)
            return _answer(201, answer)
        if kind.kind == "Pod" and target.subresource == "eviction":
            return self._evict(kind, target, how)
        if target.name:
            raise method_not_allowed()
        namespace = target.namespace if kind.namespaced else ""
        return _answer(201, self._writer.create(kind, namespace, _decode(request), how))

    def _token(self, target: Target, body: Object, how: Writing) -> Object:
        """The answer to a TokenRequest, with a warning if the token is valid for less than was asked for."""
        answer = self._accounts.issue(target.name, target.namespace, body)
        asked, given = (body.get("spec") or {}).get("expirationSeconds"), answer["spec"]["expirationSeconds"]
        if asked and int(asked) > given:
            how.warnings.append(f"requested expiration of {asked} seconds shortened to {given} seconds")
        return answer

    def _patch(self, kind: Kind, target: Target, request: Request, how: Writing) -> Response:
        namespace = target.namespace if kind.namespaced else ""
        if request.content_type == APPLY_PATCH:
            force = request.query.get("force") in ("1", "true")
            answer = self._writer.apply(kind, namespace, target.name, _decode(request), how, force=force)
            return _answer(*answer)
        patch = _decode_patch(request)
        return _answer(200, self._writer.patch(kind, namespace, target.name, patch, request.content_type, how))

    def _delete_collection(self, kind: Kind, target: Target, query: dict[str, str], how: Writing) -> Response:
        entries, _, _ = self._selected(kind, target, query)
        found = [entry.object for entry in entries]
        for each in found:
            self._writer.delete(kind, target.namespace, each["metadata"]["name"], {}, how)
        return _answer(200, {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "items": found})


def _is_served(kind: Kind, subresource: str) -> bool:
    """Whether a kind has this below its objects, to be read."""
    return (
        subresource in ("", "status")
        or (subresource == "scale" and kind.kind in subresources.SCALED)
        or (subresource == "resize" and kind.kind == "Pod")
    )


def failure(error: StatusError) -> Response:
    """Return the response for an error."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return Response(error.code, _json(error.status()), headers=headers)


def _answer(status: int, found: Object) -> Response:
    return Response(status, _json(found))


def _json(found: Object) -> bytes:
    return json.dumps(found, separators=(",", ":")).encode()


def _whole(kind: Kind, entry: Entry) -> bytes:
    return f'{{"kind":"{kind.kind}","apiVersion":"{kind.api_version}",'.encode() + entry.json[1:]


def _described(request: Request) -> Response:
    """The answer to a path that is no resource. Raises StatusError 404."""
    is_for_all = request.path.startswith(("/openapi/", "/readyz", "/livez", "/healthz"))
    found = discovery.answer(request.path, Accepted() if is_for_all else accepted(request.accept))
    if found is None:
        raise no_such_resource()
    body, content_type = found
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else _json(body)
    return Response(200, content, content_type)


def _included(request: Request) -> str:
    return request.query.get("includeObject", "")


def _shown(kind: Kind, request: Request) -> Callable[[Object, bool], Object]:
    """How a watch shows objects."""
    if not accepted(request.accept).is_table:
        return lambda found, is_first: {"kind": kind.kind, "apiVersion": kind.api_version} | found
    include = _included(request)

    def as_table(found: Object, is_first: bool) -> Object:
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        return tables.table(kind, [found], version, include, titles=is_first)

    return as_table


def _predicates(kind: Kind, query: dict[str, str]) -> list[Predicate]:
    """What the selectors of a query ask of objects. Raises StatusError 400."""
    selectors = (by_labels(query.get("labelSelector", "")), by_fields(kind, query.get("fieldSelector", "")))
    return [predicate for predicate in selectors if predicate]


def _decode_patch(request: Request) -> Any:
    """The body of a patch that is none of an apply. Raises StatusError 400, 415."""
    if request.content_type not in patches.CONTENT_TYPES:
        raise patches.unsupported()
    return _decode(request, list if request.content_type == patches.JSON else dict)


def _decode(request: Request, expected: type = dict) -> Any:
    """The body as an object: JSON, protobuf, or the YAML that an apply patch may be. Raises StatusError 400, 415."""
    if request.method in ("POST", "PUT") and request.content_type not in BODIES:
        raise StatusError(
            415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {request.content_type}"
        )
    try:
        is_protobuf = request.content_type == protobuf.CONTENT_TYPE
        found: Any = protobuf.decode(request.body) if is_protobuf else json.loads(request.body)
    except protobuf.UnknownError as error:
        raise bad_request(str(error)) from error
    except ValueError as error:
        if request.content_type != APPLY_PATCH:
            raise bad_request(f"the object provided is unrecognized: couldn't get version/kind: {error}") from error
        found = _decode_yaml(request.body)
    if not isinstance(found, expected):
        raise bad_request("the object provided is unrecognized: it is not a map")
    return found


def _decode_yaml(body: bytes) -> Any:
    try:
        return yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise bad_request(f"error decoding YAML: {error}") from error


def _manager(request: Request) -> str:
    return request.query.get("fieldManager") or "unknown"
