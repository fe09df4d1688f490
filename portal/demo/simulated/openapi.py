"""OpenAPI, as far as kubectl asks for it: that the server itself validates fields. There are no schemas.

kubectl looks for the parameter `fieldValidation` before `apply` and `create`, and then leaves the checking of fields
to the server. `kubectl explain` needs schemas and does not work.
Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition
"""

from typing import Any

from portal.demo.simulated.kinds import KINDS, Object

_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


def answer(path: str, group_versions: list[str], version: str) -> tuple[Any, str] | None:
    """Return the answer to a path below /openapi, and its type; None if there is none."""
    if path == "/openapi/v2":
        return _no_schemas(version), _V2
    paths = {(f"apis/{name}" if "/" in name else f"api/{name}"): name for name in group_versions}
    if path == "/openapi/v3":
        listed = {each: {"serverRelativeURL": f"/openapi/v3/{each}"} for each in paths}
        return {"paths": listed}, "application/json"
    found = paths.get(path.removeprefix("/openapi/v3/"))
    return (_document(found, version), "application/json") if found else None


def _document(api_version: str, version: str) -> Object:
    group, _, number = api_version.rpartition("/")
    root = f"/apis/{api_version}" if group else f"/api/{number}"
    paths = {}
    for kind in KINDS:
        if kind.api_version == api_version:
            where = "/namespaces/{namespace}" if kind.namespaced else ""
            named = {"group": group, "kind": kind.kind, "version": number}
            paths[f"{root}{where}/{kind.plural}/{{name}}"] = {"patch": _patch(named)}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": version}, "paths": paths}


def _patch(named: Object) -> Object:
    parameter = {"name": "fieldValidation", "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    return {
        "parameters": [parameter],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": named,
    }


def _no_schemas(version: str) -> bytes:
    """A document of OpenAPI 2 in protobuf, the only form that kubectl reads: `swagger`, and `info`."""
    info = _text(1, "Kubernetes") + _text(2, version)
    return _text(1, "2.0") + bytes([2 << 3 | 2, len(info)]) + info


def _text(number: int, text: str) -> bytes:
    return bytes([number << 3 | 2, len(text)]) + text.encode()
