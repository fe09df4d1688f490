"""What stands in the cells of tables of nodes, volumes, classes and endpoints. Pure.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/printers/internalversion/printers.go
"""

from typing import Any

from portal.demo.simulated.cells import NONE, UNSET, get, shown_modes
from portal.demo.simulated.kinds import Object

_ROLE = "node-role.kubernetes.io/"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_MOST_SHOWN = 3


def node_status(found: Object) -> str:
    """`Ready,SchedulingDisabled`."""
    ready = next((each["status"] for each in get(found, "status.conditions", []) if each["type"] == "Ready"), "")
    words = [{"True": "Ready", "": "Unknown"}.get(ready, "NotReady")]
    return ",".join(words + (["SchedulingDisabled"] if get(found, "spec.unschedulable") else []))


def node_roles(found: Object) -> str:
    """The roles that a node's labels name."""
    labels = get(found, "metadata.labels", {})
    return ",".join(sorted(key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE))) or NONE


def node_address(kind: str) -> Any:
    """A cell with a node's address of a kind."""
    return lambda found: next(
        (each["address"] for each in get(found, "status.addresses", []) if each["type"] == kind), NONE
    )


def node_info(key: str, default: str = "<unknown>") -> Any:
    """A cell with what a node says of itself."""
    return lambda found: get(found, f"status.nodeInfo.{key}") or default


def volume_modes(found: Object) -> str:
    """`RWO,ROX`."""
    return shown_modes(get(found, "spec.accessModes", []))


def volume_status(found: Object) -> str:
    """A volume's phase, or that it ends."""
    return "Terminating" if "deletionTimestamp" in found["metadata"] else str(get(found, "status.phase", ""))


def volume_claim(found: Object) -> str:
    """`team-a/data`."""
    claim = get(found, "spec.claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def storage_class_name(found: Object) -> str:
    """The name, and whether it is the default."""
    is_default = get(found, "metadata.annotations", {}).get(_DEFAULT_CLASS) == "true"
    return f"{found['metadata']['name']}{' (default)' if is_default else ''}"


def class_parameters(found: Object) -> str:
    """`IngressParameters.example.com/external`."""
    about = get(found, "spec.parameters")
    if not about:
        return NONE
    group = f".{about['apiGroup']}" if about.get("apiGroup") else ""
    return f"{about.get('kind', '')}{group}/{about.get('name', '')}"


def endpoints(found: Object) -> str:
    """`10.0.0.1:80,10.0.0.2:80`, three at most."""
    shown: list[str] = []
    for subset in found.get("subsets") or []:
        addresses = [each["ip"] for each in subset.get("addresses") or []]
        ports = [each["port"] for each in subset.get("ports") or []]
        shown += [_joined(each, port) for port in ports for each in addresses] if ports else addresses
    return _listed(shown) if found.get("subsets") else NONE


def slice_ports(found: Object) -> str:
    """The ports of a slice: numbers, names, or `*`."""
    ports = found.get("ports") or []
    return _listed([str(each.get("port") or each.get("name") or "*") for each in ports]) or UNSET


def slice_endpoints(found: Object) -> str:
    """The addresses of a slice."""
    return _listed([address for each in found.get("endpoints") or [] for address in each["addresses"]]) or UNSET


def controller(found: Object) -> str:
    """`daemonset.apps/web`: what a revision is of."""
    owner = next((each for each in get(found, "metadata.ownerReferences", []) if each.get("controller")), None)
    if owner is None:
        return NONE
    group = owner["apiVersion"].rpartition("/")[0]
    return f"{owner['kind'].lower()}{'.' + group if group else ''}/{owner['name']}"


def claim_state(found: Object) -> str:
    """What a claim to a device has reached."""
    is_deleted = "deletionTimestamp" in found["metadata"]
    words = ["deleted"] if is_deleted else []
    if get(found, "status.allocation") is None:
        return ",".join(words or ["pending"])
    return ",".join([*words, "allocated", *(["reserved"] if get(found, "status.reservedFor") else [])])


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listed(shown: list[str]) -> str:
    more = len(shown) - _MOST_SHOWN
    return ",".join(shown[:_MOST_SHOWN]) + (f" + {more} more..." if more > 0 else "")
