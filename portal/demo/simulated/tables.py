"""Tables, which `kubectl get` asks for: the columns of each kind, and objects as rows.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
and https://github.com/kubernetes/kubernetes/blob/master/pkg/printers/internalversion/printers.go
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from portal.demo.simulated import cells, cluster_cells
from portal.demo.simulated.cells import field
from portal.demo.simulated.kinds import Kind, Object
from portal.demo.simulated.statuses import bad_request

_INCLUDED = ("", "None", "Metadata", "Object")


@dataclass(frozen=True)
class Column:
    """One column: its title, and what stands in it."""

    name: str
    cell: Callable[[Object], Any]
    type: str = "string"
    is_wide: bool = False

    def definition(self) -> Object:
        """As a table has it."""
        format_ = "name" if self.name == "Name" else ""
        return {
            "name": self.name,
            "type": self.type,
            "format": format_,
            "description": "",
            "priority": int(self.is_wide),
        }


def table(kind: Kind, found: Iterable[Object], metadata: Object, include: str, *, titles: bool = True) -> Object:
    """Objects as a table. Raises StatusError 400 for an `includeObject` that there is not."""
    if include not in _INCLUDED:
        raise bad_request(f'unrecognized includeObject value: "{include}"')
    columns = _COLUMNS.get(kind.kind, _OTHERS)
    definitions = [column.definition() for column in columns] if titles else None
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": [_row(kind, columns, each, include) for each in found],
    }


def _row(kind: Kind, columns: Iterable[Column], found: Object, include: str) -> Object:
    row: Object = {"cells": [column.cell(found) for column in columns]}
    if include == "Object":
        return row | {"object": {"kind": kind.kind, "apiVersion": kind.api_version} | found}
    if include == "None":
        return row
    metadata = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": found["metadata"]}
    return row | {"object": metadata}


_NAME, _AGE = Column("Name", field("metadata.name")), Column("Age", cells.age)
_MADE = Column("Created At", field("metadata.creationTimestamp"), "date")
_OTHERS = (_NAME, _AGE)


def _wide(name: str, cell: Callable[[Object], Any]) -> Column:
    return Column(name, cell, is_wide=True)


def _number(name: str, path: str) -> Column:
    return Column(name, field(path, 0), "integer")


_CONTAINERS = (_wide("Containers", cells.containers("name")), _wide("Images", cells.containers("image")))
_SELECTOR = _wide("Selector", cells.selector("spec.selector"))
_SIZES = (
    _NAME,
    _number("Desired", "spec.replicas"),
    _number("Current", "status.replicas"),
    _number("Ready", "status.readyReplicas"),
)
_CRON_POD = "spec.jobTemplate.spec.template.spec"
_BOUND = (
    _NAME,
    Column("Role", cells.role),
    _AGE,
    _wide("Users", cells.subjects("User")),
    _wide("Groups", cells.subjects("Group")),
    _wide("ServiceAccounts", cells.subjects("ServiceAccount")),
)

_COLUMNS: dict[str, tuple[Column, ...]] = {
    "Namespace": (_NAME, Column("Status", field("status.phase")), _AGE),
    "ResourceQuota": (
        _NAME,
        Column("Request", cells.quota_amounts()),
        Column("Limit", cells.quota_amounts("limits.")),
        _AGE,
    ),
    "LimitRange": (_NAME, _MADE),
    "Pod": (
        _NAME,
        Column("Ready", cells.pod_ready),
        Column("Status", cells.pod_status),
        Column("Restarts", cells.pod_restarts),
        _AGE,
        _wide("IP", cells.or_none("status.podIP")),
        _wide("Node", cells.or_none("spec.nodeName")),
        _wide("Nominated Node", cells.none),
        _wide("Readiness Gates", cells.none),
    ),
    "Event": (
        Column("Last Seen", cells.seen("lastTimestamp")),
        Column("Type", field("type")),
        Column("Reason", field("reason")),
        Column("Object", cells.event_object),
        _wide("Subobject", field("involvedObject.fieldPath")),
        _wide("Source", cells.event_source),
        Column("Message", lambda found: str(found.get("message", "")).strip()),
        _wide("First Seen", cells.seen("firstTimestamp")),
        _wide("Count", field("count", 1)),
        _wide("Name", field("metadata.name")),
    ),
    "ConfigMap": (_NAME, Column("Data", cells.count("data", "binaryData")), _AGE),
    "Secret": (_NAME, Column("Type", field("type")), Column("Data", cells.count("data")), _AGE),
    "Service": (
        _NAME,
        Column("Type", field("spec.type")),
        Column("Cluster-IP", cells.or_none("spec.clusterIP")),
        Column("External-IP", cells.external_ip),
        Column("Port(s)", cells.service_ports),
        _AGE,
        _wide("Selector", cells.selector("spec.selector")),
    ),
    "PersistentVolumeClaim": (
        _NAME,
        Column("Status", cells.claim_status),
        Column("Volume", field("spec.volumeName")),
        Column("Capacity", field("status.capacity.storage")),
        Column("Access Modes", cells.access_modes),
        Column("StorageClass", field("spec.storageClassName")),
        Column("VolumeAttributesClass", cells.unset("spec.volumeAttributesClassName")),
        _AGE,
        _wide("VolumeMode", cells.unset("spec.volumeMode")),
    ),
    "Deployment": (
        _NAME,
        Column("Ready", cells.of_wanted("status.readyReplicas")),
        Column("Up-to-date", field("status.updatedReplicas", 0)),
        Column("Available", field("status.availableReplicas", 0)),
        _AGE,
        *_CONTAINERS,
        _SELECTOR,
    ),
    "ReplicaSet": (*_SIZES, _AGE, *_CONTAINERS, _SELECTOR),
    "StatefulSet": (_NAME, Column("Ready", cells.of_wanted("status.readyReplicas")), _AGE, *_CONTAINERS),
    "DaemonSet": (
        _NAME,
        _number("Desired", "status.desiredNumberScheduled"),
        _number("Current", "status.currentNumberScheduled"),
        _number("Ready", "status.numberReady"),
        _number("Up-to-date", "status.updatedNumberScheduled"),
        _number("Available", "status.numberAvailable"),
        Column("Node Selector", cells.selector("spec.template.spec.nodeSelector")),
        _AGE,
        *_CONTAINERS,
        _SELECTOR,
    ),
    "ControllerRevision": (
        _NAME,
        Column("Controller", cluster_cells.controller),
        Column("Revision", field("revision", 0)),
        _AGE,
    ),
    "ReplicationController": (*_SIZES, _AGE, *_CONTAINERS, _SELECTOR),
    "PodTemplate": (
        _NAME,
        Column("Containers", cells.containers("name", "template.spec")),
        Column("Images", cells.containers("image", "template.spec")),
        Column("Pod Labels", cells.selector("template.metadata.labels")),
    ),
    "Job": (
        _NAME,
        Column("Status", cells.job_status),
        Column("Completions", cells.job_completions),
        Column("Duration", cells.job_duration),
        _AGE,
        *_CONTAINERS,
        _SELECTOR,
    ),
    "CronJob": (
        _NAME,
        Column("Schedule", field("spec.schedule")),
        Column("Timezone", cells.or_none("spec.timeZone")),
        Column("Suspend", lambda found: str(cells.get(found, "spec.suspend", default=False)), "boolean"),
        Column("Active", cells.count("status.active"), "integer"),
        Column("Last Schedule", cells.last_schedule),
        _AGE,
        _wide("Containers", cells.containers("name", _CRON_POD)),
        _wide("Images", cells.containers("image", _CRON_POD)),
        _wide("Selector", cells.none),
    ),
    "HorizontalPodAutoscaler": (
        _NAME,
        Column("Reference", cells.scale_target),
        Column("Targets", cells.scale_metrics),
        Column("MinPods", cells.or_not_set("spec.minReplicas", "<unset>")),
        Column("MaxPods", field("spec.maxReplicas", 0)),
        Column("Replicas", field("status.currentReplicas", 0)),
        _AGE,
    ),
    "PodDisruptionBudget": (
        _NAME,
        Column("Min Available", cells.or_not_set("spec.minAvailable")),
        Column("Max Unavailable", cells.or_not_set("spec.maxUnavailable")),
        _number("Allowed Disruptions", "status.disruptionsAllowed"),
        _AGE,
    ),
    "Ingress": (
        _NAME,
        Column("Class", cells.or_none("spec.ingressClassName")),
        Column("Hosts", cells.hosts),
        Column("Address", cells.load_balancers),
        Column("Ports", cells.ingress_ports),
        _AGE,
    ),
    "IngressClass": (
        _NAME,
        Column("Controller", field("spec.controller")),
        Column("Parameters", cluster_cells.class_parameters),
        _AGE,
    ),
    "Endpoints": (_NAME, Column("Endpoints", cluster_cells.endpoints), _AGE),
    "EndpointSlice": (
        _NAME,
        Column("AddressType", field("addressType")),
        Column("Ports", cluster_cells.slice_ports),
        Column("Endpoints", cluster_cells.slice_endpoints),
        _AGE,
    ),
    "Lease": (_NAME, Column("Holder", field("spec.holderIdentity")), _AGE),
    "ResourceClaim": (_NAME, Column("State", cluster_cells.claim_state), _AGE),
    "ResourceSlice": (
        _NAME,
        Column("Node", cells.unset("spec.nodeName")),
        Column("Driver", field("spec.driver")),
        Column("Pool", field("spec.pool.name")),
        _AGE,
    ),
    "Node": (
        _NAME,
        Column("Status", cluster_cells.node_status),
        Column("Roles", cluster_cells.node_roles),
        _AGE,
        Column("Version", cluster_cells.node_info("kubeletVersion", "")),
        _wide("Internal-IP", cluster_cells.node_address("InternalIP")),
        _wide("External-IP", cluster_cells.node_address("ExternalIP")),
        _wide("OS-Image", cluster_cells.node_info("osImage")),
        _wide("Kernel-Version", cluster_cells.node_info("kernelVersion")),
        _wide("Container-Runtime", cluster_cells.node_info("containerRuntimeVersion")),
    ),
    "PersistentVolume": (
        _NAME,
        Column("Capacity", field("spec.capacity.storage")),
        Column("Access Modes", cluster_cells.volume_modes),
        Column("Reclaim Policy", field("spec.persistentVolumeReclaimPolicy", "Retain")),
        Column("Status", cluster_cells.volume_status),
        Column("Claim", cluster_cells.volume_claim),
        Column("StorageClass", field("spec.storageClassName")),
        Column("VolumeAttributesClass", cells.unset("spec.volumeAttributesClassName")),
        Column("Reason", field("status.reason")),
        _AGE,
        _wide("VolumeMode", field("spec.volumeMode", "Filesystem")),
    ),
    "StorageClass": (
        Column("Name", cluster_cells.storage_class_name),
        Column("Provisioner", field("provisioner")),
        Column("ReclaimPolicy", field("reclaimPolicy", "Delete")),
        Column("VolumeBindingMode", field("volumeBindingMode", "Immediate")),
        Column("AllowVolumeExpansion", field("allowVolumeExpansion", default=False)),
        _AGE,
    ),
    "RuntimeClass": (_NAME, Column("Handler", field("handler")), _AGE),
    "PriorityClass": (
        _NAME,
        _number("Value", "value"),
        Column("Global-Default", field("globalDefault", default=False), "boolean"),
        _AGE,
        Column("PreemptionPolicy", field("preemptionPolicy", "PreemptLowerPriority")),
    ),
    "NetworkPolicy": (_NAME, Column("Pod-Selector", cells.selector("spec.podSelector")), _AGE),
    "Role": (_NAME, _MADE),
    "ClusterRole": (_NAME, _MADE),
    "RoleBinding": _BOUND,
    "ClusterRoleBinding": _BOUND,
    "ValidatingAdmissionPolicy": (
        _NAME,
        Column("Validations", cells.count("spec.validations"), "integer"),
        Column("ParamKind", cells.unset("spec.paramKind.kind")),
        _AGE,
    ),
    "ValidatingAdmissionPolicyBinding": (
        _NAME,
        Column("PolicyName", field("spec.policyName")),
        Column("ParamRef", cells.unset("spec.paramRef.name")),
        _AGE,
    ),
}
