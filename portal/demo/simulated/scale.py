"""The subresource `scale`: how many replicas a workload is to have, and has.

Source: https://kubernetes.io/docs/reference/kubernetes-api/autoscaling-resources/scale-v1/
"""

from portal.demo.simulated.cells import get, shown_selector
from portal.demo.simulated.kinds import Kind, Object
from portal.demo.simulated.statuses import Cause, bad_request, conflict, invalid_options

_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def of(workload: Object) -> Object:
    """The Scale of a workload."""
    metadata = {key: workload["metadata"][key] for key in _KEPT if key in workload["metadata"]}
    status = {"replicas": get(workload, "status.replicas", 0)}
    selector = shown_selector(get(workload, "spec.selector", {}))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": get(workload, "spec.replicas", 0)},
        "status": status | {"selector": selector},
    }


def patch(kind: Kind, workload: Object, wanted: Object) -> Object:
    """The merge patch for a workload that a Scale stands for. Raises StatusError 400, 409 or 422."""
    version = get(wanted, "metadata.resourceVersion")
    if version and version != workload["metadata"]["resourceVersion"]:
        raise conflict(kind, workload["metadata"]["name"])
    replicas = get(wanted, "spec.replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request("json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32")
    if replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid_options("autoscaling", "Scale", [Cause("spec.replicas", why)])
    return {"spec": {"replicas": replicas}}
