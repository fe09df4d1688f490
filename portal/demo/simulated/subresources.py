"""What stands below an object: the size of a workload, the resources of a pod, the eviction of one.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/ and the API server's registries.
"""

from portal.demo.simulated.cells import shown_selector
from portal.demo.simulated.checks import not_allowed
from portal.demo.simulated.defaults import class_of
from portal.demo.simulated.kinds import Kind, Object, copy
from portal.demo.simulated.statuses import bad_request, bad_value, invalid

SCALED = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"})
SCALE = Kind("Scale", "scales", "autoscaling")
_RESIZABLE = ("cpu", "memory")


def scale_of(found: Object) -> Object:
    """The size of a workload as autoscaling/v1 has it."""
    metadata, spec = found["metadata"], found["spec"]
    status: Object = {"replicas": (found.get("status") or {}).get("replicas", 0)}
    selector = spec.get("selector") or {}
    status["selector"] = shown_selector(selector) if selector else ""
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": status,
    }


def scaled(live: Object, scale: Object) -> Object:
    """A workload of another size. Raises StatusError 400, 422."""
    name, said = live["metadata"]["name"], scale.get("metadata") or {}
    if said.get("name", name) != name:
        raise bad_request(f"the name of the object ({said['name']}) does not match the name on the URL ({name})")
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request('Scale in version "autoscaling/v1" cannot be handled as a Scale: replicas is no number')
    if replicas < 0:
        why = bad_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid(SCALE, name, [why])
    found: Object = copy(live)
    found["spec"]["replicas"] = replicas
    if version := said.get("resourceVersion"):
        found["metadata"]["resourceVersion"] = version
    return found


def resized(kind: Kind, live: Object, wanted: Object) -> Object:
    """A pod with other resources in its containers; whatever else was wanted stays as it is. Raises StatusError 422."""
    found: Object = copy(live)
    for part in ("initContainers", "containers"):
        asked = {each.get("name"): each for each in wanted["spec"].get(part) or ()}
        for container in found["spec"].get(part) or ():
            if container["name"] in asked:
                container["resources"] = copy(asked[container["name"]].get("resources") or {})
    causes = []
    for index, (before, after) in enumerate(zip(live["spec"]["containers"], found["spec"]["containers"], strict=True)):
        for section in ("limits", "requests"):
            gone = [
                name for name in before["resources"].get(section, {}) if name not in after["resources"].get(section, {})
            ]
            if any(name in _RESIZABLE for name in gone):
                where = f"spec.containers[{index}].resources.{section}"
                causes.append(not_allowed(where, "resource limits cannot be removed"))
    if live["status"].get("qosClass") != class_of(found):
        causes.append(bad_value("spec", class_of(found), "Pod QOS Class may not change as a result of resizing"))
    if causes:
        raise invalid(kind, live["metadata"]["name"], causes)
    return found
