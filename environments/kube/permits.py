"""What a template and a cluster permit pods, Services and host names, as annotations of the namespace.

The policies of deploy/admission read them; allotment-namespaces lets only the portal write them. What is not there is
not permitted, so namespaces from before are safe. Host names are the exception: without a pattern any are permitted.
"""

from collections.abc import Iterable

from environments.lib import hosts
from environments.spec import TemplateSpec

_REQUESTS = "requests."


def annotations(
    spec: TemplateSpec, size_name: str, label_domain: str, host_names: Iterable[str] = ()
) -> dict[str, str]:
    """The annotations for a template and a size (empty: the template's own quota). `host_names`: of the namespace."""
    wish, size = spec.admission, spec.size(size_name)
    resources = {*wish.extended_resources, *_extended([*spec.quota, *(size.quota if size else ())])}
    texts = {
        "priority-classes": ",".join(wish.priority_classes),
        "extended-resources": ",".join(sorted(resources)),
        "image-registries": ",".join(wish.image_registries),
        "control-plane-nodes": _switch(wish.control_plane_nodes),
        "external-ips": _switch(wish.external_ips),
        "external-names": _switch(wish.external_names),
        "host-names": ",".join(host_names),
    }
    return {f"{label_domain}/{key}": text for key, text in texts.items() if text}


def host_names(spec: TemplateSpec, cluster: Iterable[str], namespace: str) -> tuple[str, ...]:
    """The patterns of a namespace's host names: the template's, or those of its cluster; none where any are allowed."""
    return hosts.filled(spec.admission.host_names or cluster, namespace)


def _extended(quota: Iterable[str]) -> Iterable[str]:
    """The extended resources that a quota counts: `nvidia.com/gpu` of `requests.nvidia.com/gpu`."""
    return (key.removeprefix(_REQUESTS) for key in quota if key.startswith(_REQUESTS) and "/" in key)


def _switch(on: bool) -> str:
    return "true" if on else ""
