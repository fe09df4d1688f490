"""One process that reads a cluster once, and says how long that took and how much memory: bare, or the portal's way.

python -m tests.bench.collecting_reader bare < {"server": …, "token": …, "ca": …}
python -m tests.bench.collecting_reader pass < the cluster's id
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import urllib3

_LISTS = (
    "/api/v1/namespaces",
    "/api/v1/limitranges",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/api/v1/resourcequotas",
)
_SELECTOR, _PAGE = "app.kubernetes.io/managed-by=allotment", "500"


def main() -> None:
    """Read once, say how it went as JSON."""
    how, argument = sys.argv[1], sys.stdin.read()
    result = _bare(json.loads(argument)) if how == "bare" else _pass(int(argument))
    result["peak_mb"] = _peak_mb()
    sys.stdout.write(json.dumps(result))


def _peak_mb() -> float:
    """The most memory that this process had at once. getrusage would tell of the parent's, where Linux forked it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024, 1)


def _bare(connection: dict[str, str]) -> dict[str, Any]:
    """The same pages, one connection, parsed and thrown away."""
    pool = urllib3.PoolManager(ca_cert_data=connection["ca"] or None, retries=False)
    headers = {"Authorization": f"Bearer {connection['token']}", "Accept": "application/json"}
    calls = read = objects = 0
    start, cpu = time.monotonic(), time.process_time()
    for path in _LISTS:
        query = {"limit": _PAGE, "labelSelector": _SELECTOR}
        while True:
            content = pool.request("GET", connection["server"] + path, fields=query, headers=headers).data
            page = json.loads(content)
            calls, read, objects = calls + 1, read + len(content), objects + len(page["items"])
            if not (token := page["metadata"].get("continue")):
                break
            query["continue"] = token
    return _result(start, cpu, calls, read, objects)


def _result(start: float, cpu: float, calls: int, read: int, objects: int) -> dict[str, Any]:
    return {
        "seconds": time.monotonic() - start,
        "cpu": time.process_time() - cpu,
        "calls": calls,
        "megabytes": round(read / 1e6, 1),
        "objects": objects,
    }


def _pass(cluster_id: int) -> dict[str, Any]:
    """The portal's own pass, as the task runs it. What it calls is counted where the client makes its calls."""
    import django

    django.setup()
    from environments.kube.client import ClusterClient
    from environments.models import Cluster, Environment
    from environments.routine import observe

    calls = read = objects = 0
    call = ClusterClient._call

    def counted(self: ClusterClient, *arguments: Any, **keywords: Any) -> Any:
        nonlocal calls, read, objects
        answer, length = call(self, *arguments, **keywords)
        calls, read, objects = calls + 1, read + length, objects + len(answer[0])
        return answer, length

    ClusterClient._call = counted  # type: ignore[method-assign]
    start, cpu = time.monotonic(), time.process_time()
    drifted = observe.observe(cluster_id)
    result = _result(start, cpu, calls, read, objects)
    row = Cluster.objects.get(pk=cluster_id)
    missed = Environment.objects.filter(cluster=row).exclude(usage_at=row.observed_at.replace(microsecond=0)).count()
    if drifted or missed or row.check_error:
        raise RuntimeError(f"{len(drifted)} drifted, {missed} were missed: {row.check_error}")
    return result


if __name__ == "__main__":
    main()
