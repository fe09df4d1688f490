"""Resources and amounts as the API server takes them in a ResourceQuota and a LimitRange.

Source: ValidateResourceQuotaResourceName, ValidateResourceQuantityValue and SetDefaults_ResourceList of the API server
"""

from environments.lib import quantities

#: Of these there are only whole ones.
_COUNTED = frozenset(
    {
        "pods", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps",
        "services.nodeports", "services.loadbalancers", "resourcequotas",
    }
)  # fmt: skip
_MEASURED = frozenset({"cpu", "memory", "ephemeral-storage"})
_STANDARD = _COUNTED | _MEASURED | {f"{part}.{name}" for part in ("requests", "limits") for name in _MEASURED}


def quota_name_problem(resource: str) -> str:
    """Why a quota cannot count this, empty where it can."""
    if "/" in resource or resource in _STANDARD | {"requests.storage"}:
        return ""
    return f"Kubernetes has no resource {resource}. Other resources have a prefix, for example requests.nvidia.com/gpu."


def limit_name_problem(resource: str) -> str:
    """Why a container cannot be limited in this, empty where it can."""
    if "/" in resource or resource in _MEASURED:
        return ""
    return f"{resource} is not one of {', '.join(sorted(_MEASURED))}. Others have a prefix, for example nvidia.com/gpu."


def check_readable(resource: str, text: str) -> None:
    """Raise ValueError, with a sentence, unless this is an amount of anything."""
    if quantities.parse(text) < 0:
        raise ValueError("This must not be negative.")


def check_amount(resource: str, text: str) -> None:
    """Raise ValueError, with a sentence, unless the API server takes this much of a resource and leaves it as it is."""
    check_readable(resource, text)
    value = quantities.parse(text)
    if value % 1 and _is_counted(resource):
        raise ValueError("Enter a whole number.")
    if value * 1000 % 1:
        raise ValueError("The cluster would round this. Use steps of one thousandth (1m).")


def _is_counted(resource: str) -> bool:
    extended = "/" in resource and "kubernetes.io/" not in resource and not resource.startswith("requests.")
    return resource in _COUNTED or extended
