"""What stands in the cells of kubectl's tables, where more than a field of the object does. Pure.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/printers/internalversion/printers.go
"""

from typing import Any

from portal.demo.simulated.ages import lasting, moment, since
from portal.demo.simulated.kinds import Object

NONE, UNSET = "<none>", "<unset>"
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def field(path: str, default: Any = "") -> Any:
    """A cell with the value at a path, such as `status.phase`."""

    def cell(found: Object) -> Any:
        return get(found, path, default)

    return cell


def get(found: Any, path: str, default: Any = None) -> Any:
    """The value at a path; the default for none."""
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return default if found is None else found


def age(found: Object) -> str:
    """The time since creation."""
    return since(found["metadata"].get("creationTimestamp"))


def count(*paths: str) -> Any:
    """A cell with the number of items in maps or lists."""
    return lambda found: sum(len(get(found, path, ())) for path in paths)


def pod_ready(found: Object) -> str:
    """`1/2`: containers that are ready, and all."""
    ready = sum(bool(each.get("ready")) for each in get(found, "status.containerStatuses", []))
    return f"{ready}/{len(found['spec'].get('containers') or [])}"


def pod_status(found: Object) -> str:
    """The phase, or the reason why a container does not run."""
    status = found.get("status") or {}
    reason = status.get("reason") or status.get("phase", "")
    for each in reversed(status.get("containerStatuses") or []):
        state = each.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif ended:
            reason = ended.get("reason") or f"ExitCode:{ended.get('exitCode', 0)}"
    return "Terminating" if "deletionTimestamp" in found["metadata"] else str(reason)


def pod_restarts(found: Object) -> str:
    """How often containers started again, and when the last one did."""
    statuses = get(found, "status.containerStatuses", [])
    total = sum(int(each.get("restartCount") or 0) for each in statuses)
    ends = [end for each in statuses if (end := get(each, "lastState.terminated.finishedAt"))]
    return f"{total} ({since(max(ends))} ago)" if total and ends else str(total)


def of_wanted(path: str, wanted: str = "spec.replicas") -> Any:
    """A cell such as `2/3`."""
    return lambda found: f"{get(found, path, 0)}/{get(found, wanted, 1)}"


def containers(key: str, path: str = "spec.template.spec") -> Any:
    """A cell with the names or images of containers."""
    return lambda found: ",".join(str(each.get(key, "")) for each in get(found, f"{path}.containers", []))


def selector(path: str) -> Any:
    """A cell with a label selector, or with a plain map of labels."""
    return lambda found: shown_selector(get(found, path, {}))


def shown_selector(wanted: Object) -> str:
    """`app=web,tier in (a,b)`."""
    labels = wanted.get("matchLabels") if {"matchLabels", "matchExpressions"} & wanted.keys() else wanted
    parts = [f"{key}={value}" for key, value in sorted((labels or {}).items())]
    for each in wanted.get("matchExpressions") or []:
        operator, values = each["operator"], f"({','.join(sorted(each.get('values') or []))})"
        parts.append(
            {
                "In": f"{each['key']} in {values}",
                "NotIn": f"{each['key']} notin {values}",
                "Exists": each["key"],
                "DoesNotExist": f"!{each['key']}",
            }.get(operator, "")
        )
    return ",".join(parts) or NONE


def service_ports(found: Object) -> str:
    """`80/TCP,443:30443/TCP`."""
    ports = get(found, "spec.ports", [])
    shown = [
        f"{each['port']}{':' + str(each['nodePort']) if each.get('nodePort') else ''}/{each.get('protocol', 'TCP')}"
        for each in ports
    ]
    return ",".join(shown) or NONE


def external_ip(found: Object) -> str:
    """What reaches a Service from outside."""
    spec = found["spec"]
    addresses = [each.get("ip") or each.get("hostname") for each in get(found, "status.loadBalancer.ingress", [])]
    listed = [*addresses, *(spec.get("externalIPs") or [])]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    return ",".join(map(str, listed)) or ("<pending>" if spec.get("type") == "LoadBalancer" else NONE)


def hosts(found: Object) -> str:
    """The host names of an Ingress, three at most."""
    names = [each["host"] for each in get(found, "spec.rules", []) if each.get("host")]
    more = f" + {len(names) - 3} more..." if len(names) > 3 else ""
    return ",".join(names[:3]) + more if names else "*"


def ingress_ports(found: Object) -> str:
    """80, and 443 with TLS."""
    return "80, 443" if get(found, "spec.tls") else "80"


def load_balancers(found: Object) -> str:
    """The addresses of an Ingress."""
    return ",".join(
        each.get("ip") or each.get("hostname", "") for each in get(found, "status.loadBalancer.ingress", [])
    )


def access_modes(found: Object) -> str:
    """`RWO,ROX`, once a volume is bound."""
    return shown_modes(get(found, "status.accessModes", []))


def shown_modes(modes: list[str]) -> str:
    """Access modes in short."""
    return ",".join(_MODES.get(each, each) for each in modes)


def job_status(found: Object) -> str:
    """Whether a Job runs."""
    true = {each["type"] for each in get(found, "status.conditions", []) if each.get("status") == "True"}
    for condition, shown in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if condition in true:
            return shown
    return "Terminating" if "deletionTimestamp" in found["metadata"] else "Running"


def job_completions(found: Object) -> str:
    """`0/1`."""
    return f"{get(found, 'status.succeeded', 0)}/{get(found, 'spec.completions', 1)}"


def job_duration(found: Object) -> str:
    """How long a Job ran, or runs."""
    begin, end = get(found, "status.startTime"), get(found, "status.completionTime")
    if not begin:
        return ""
    return lasting((moment(end) - moment(begin)).total_seconds()) if end else since(begin)


def last_schedule(found: Object) -> str:
    """When a CronJob last began."""
    last = get(found, "status.lastScheduleTime")
    return since(last) if last else NONE


def seen(first: str) -> Any:
    """A cell with the time since an event's time: that field, or what comes instead of it."""
    return lambda found: since(get(found, first) or get(found, "eventTime"))


def event_object(found: Object) -> str:
    """`pod/web-1`."""
    about = found.get("involvedObject") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def event_source(found: Object) -> str:
    """Which component said it, and where."""
    source = found.get("source") or {}
    parts = source.get("component") or found.get("reportingComponent"), source.get("host")
    return ", ".join(each for each in parts if each)


def quota_amounts(*prefixes: str) -> Any:
    """A cell with `used/hard` of a quota: those that begin with a prefix, or the ones that begin with none."""

    def cell(found: Object) -> str:
        hard, used = get(found, "status.hard", {}), get(found, "status.used", {})
        chosen = [key for key in sorted(hard) if key.startswith("limits.") == (prefixes == ("limits.",))]
        return ", ".join(f"{key}: {used.get(key, '0')}/{hard[key]}" for key in chosen)

    return cell


def subjects(kind: str) -> Any:
    """A cell with the people of a binding."""

    def cell(found: Object) -> str:
        names = [each for each in found.get("subjects") or [] if each.get("kind") == kind]
        is_account = kind == "ServiceAccount"
        return ", ".join(
            f"{each.get('namespace', '')}/{each['name']}" if is_account else each["name"] for each in names
        )

    return cell


def role(found: Object) -> str:
    """`ClusterRole/view`."""
    return f"{found['roleRef']['kind']}/{found['roleRef']['name']}"


def scale_target(found: Object) -> str:
    """What an autoscaler scales."""
    about = get(found, "spec.scaleTargetRef", {})
    return f"{about.get('kind', '')}/{about.get('name', '')}"


def scale_metrics(found: Object) -> str:
    """What an autoscaler goes by; there is no metrics server here."""
    shown = []
    for each in get(found, "spec.metrics", []):
        resource = each.get("resource") or {}
        target = resource.get("target") or {}
        wanted = f"{target['averageUtilization']}%" if "averageUtilization" in target else target.get("averageValue")
        shown.append(f"{resource.get('name', each.get('type', ''))}: <unknown>/{wanted or '<auto>'}")
    return ", ".join(shown[:2]) + (f" + {len(shown) - 2} more..." if len(shown) > 2 else "") if shown else NONE


def or_not_set(path: str, default: str = "N/A") -> Any:
    """A cell with a value as text, or the word for none."""
    return lambda found: str(get(found, path, default))


def none(found: Object) -> str:
    """A cell for what no node has said."""
    return NONE


def unset(path: str) -> Any:
    """A cell with a value, or `<unset>`."""
    return lambda found: get(found, path) or UNSET


def or_none(path: str) -> Any:
    """A cell with a value, or `<none>`."""
    return lambda found: get(found, path) or NONE


def claim_status(found: Object) -> str:
    """A claim's phase, or that it ends."""
    return "Terminating" if "deletionTimestamp" in found["metadata"] else str(get(found, "status.phase", ""))
