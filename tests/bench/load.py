"""Many environments requested at once, through the whole stack, next to a bare client that only applies the objects.

PostgreSQL, Redis, gunicorn, Celery workers and one beat as processes of their own; the real control plane where there
is one. Requests are forms posted to the web server by people who are signed in. While they are worked on, readers open
pages. Afterwards one namespace in ten is changed by hand, and one pass finds and repairs them.

    python -m tests.bench.load --environments 1000
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ENVIRONMENTS, PEOPLE = 1000, 50
_CONNECTIONS = 8
_PATIENCE = 900.0  # seconds until all are Ready


def measure(folder: Path, environments: int = ENVIRONMENTS, manager_qps: int = 500) -> dict[str, Any]:
    """Run everything and return the figures. Sets the settings of this process: call it in one of its own."""
    from tests.services import PostgreSQL, Redis

    with ExitStack() as stack:
        database, redis = PostgreSQL(folder / "postgres"), Redis(folder)
        stack.callback(database.close)
        redis.start()
        stack.callback(redis.process.stop)
        set_up(database.url, redis.url)
        from tests.bench import calls, load_cluster, load_company, load_repair, load_stack

        cluster = stack.enter_context(load_cluster.running(manager_qps))
        company = load_company.found(cluster, PEOPLE)
        recording = load_company.recorded(cluster, company)
        shape = stack.enter_context(load_stack.Stack(folder))
        shape.processes["redis"] = redis.process
        pids = shape.pids({"postgres": database.pid} | cluster.pids)
        report = {"environments": environments, "cluster": cluster.name, "controllers' requests a second": manager_qps}
        report |= _requested_at_once(company, shape.url, pids, environments)
        report["bare client"] = _bare(load_cluster, cluster, company, report)
        ours = report["environments a minute"]
        report["same calls, bare client"] = calls.figures(cluster, recording, environments, _CONNECTIONS, ours)
        report["repair"] = load_repair.measure(company.cluster_row, cluster.admin)
    return report


def _requested_at_once(company: Any, url: str, pids: dict[str, int], environments: int) -> dict[str, Any]:
    from tests.bench import load_company, load_stack

    start, own, before = time.monotonic(), time.process_time(), load_stack.cpu(pids)
    with load_stack.Readers(url, company.cookies) as readers:
        submitted = load_company.submit(company, url, environments, _CONNECTIONS)
        _wait(environments, start)
        took = time.monotonic() - start
        own, after, memory = time.process_time() - own, load_stack.cpu(pids), load_stack.memory(pids)
    times = sorted(load_company.ready_after())
    return {
        "all submitted after s": round(submitted, 1),
        "all Ready after s": round(took, 1),
        "environments a minute": round(environments / took * 60),
        "submit to Ready p50 s": round(statistics.median(times), 2),
        "submit to Ready p95 s": round(times[int(len(times) * 0.95)], 2),
        "readers": readers.figures(),
        "memory MB": memory,
        "CPU ms an environment": {
            name: round((after[name] - before[name]) / environments * 1000, 1) for name in pids if after[name]
        }
        | {"requests and readers": round(own / environments * 1000, 1)},
    }


def _bare(load_cluster: Any, cluster: Any, company: Any, report: dict[str, Any]) -> dict[str, Any]:
    took = load_cluster.apply_bare(cluster, company.cluster_row, int(report["environments"]), _CONNECTIONS)
    a_minute = round(int(report["environments"]) / took * 60)
    return {
        "connections": _CONNECTIONS,
        "all applied after s": round(took, 1),
        "environments a minute": a_minute,
        "ours of its rate": round(report["environments a minute"] / a_minute, 2),
    }


def _wait(environments: int, start: float) -> None:
    from environments.lib.phases import Phase
    from environments.models import Environment

    while Environment.objects.filter(phase=Phase.READY).count() < environments:
        if time.monotonic() - start > _PATIENCE:
            phases = list(Environment.objects.values_list("phase", flat=True))
            raise TimeoutError(f"not all Ready in time: { {phase: phases.count(phase) for phase in set(phases)} }")
        time.sleep(0.1)


def set_up(database: str, broker: str) -> None:
    """Set Django up with the settings of production."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": database,
        "BROKER_URL": broker,
        "SECRET_KEY": "only-for-the-bench-" + "x" * 50,
        "LOCAL_ACCOUNTS": "true",
        "SECURE": "false",
        "COLLECTED_STATIC": "false",
        "EMAIL_URL": "dummymail://",
        "LOG_LEVEL": "WARNING",
        "OBSERVE_SECONDS": "3600",
    }
    import django

    django.setup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=int, default=ENVIRONMENTS)
    parser.add_argument("--manager-qps", type=int, default=500, help="20 is the controller manager's own default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-load-") as folder:
        report = measure(Path(folder), options.environments, options.manager_qps)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
