"""Seconds from the death of a worker between two calls until another one goes on with its environment.

    python -m tests.bench.recovery --runs 3

The first worker is killed (SIGKILL, its whole group) while it waits for an answer of a cluster that takes its time. A
second one and a beat, which were idle until then, have the product's own settings.
"""

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

RUNS = 3
_DELAY = 4.0  # seconds of each answer
_PATIENCE = 300.0  # seconds


def measure(folder: Path, runs: int = RUNS) -> dict[str, Any]:
    """Median and slowest. Sets the settings of this process: call it in one of its own."""
    from tests.bench import load
    from tests.services import PostgreSQL, Redis

    with ExitStack() as stack:
        database, redis = PostgreSQL(folder / "postgres"), Redis(folder)
        stack.callback(database.close)
        redis.start()
        stack.callback(redis.process.stop)
        load.set_up(database.url, redis.url)
        from tests.bench import load_cluster, load_company
        from tests.faults.proxy import FaultProxy

        place = stack.enter_context(load_cluster.running())
        company = load_company.found(place, 1)
        proxy = stack.enter_context(FaultProxy(place.server, place.certificate_authority))
        proxy.add("slow", 24 * 3600, delay=_DELAY)
        type(company.cluster_row).objects.update(server=proxy.url, certificate_authority="")
        times = [_run(folder / str(number), company) for number in range(runs)]
    return {"median s": round(statistics.median(times), 1), "slowest s": round(max(times), 1), "runs": runs}


def _run(folder: Path, company: Any) -> float:
    from environments import actions
    from environments.models import Environment, TemplateVersion, User
    from tests.bench import load_company, load_stack
    from tests.services import wait_until

    folder.mkdir()
    with load_stack.Stack(folder, workers=1) as first:
        version = TemplateVersion.objects.select_related("template").get(pk=company.version)
        cluster = type(company.cluster_row).objects.get()
        draft = actions.Draft(version=version, name="killed", cluster=cluster, parameters=load_company.PARAMETERS)
        key = actions.request_environment(User.objects.get(), draft).pk

        def holder() -> Any:
            return Environment.objects.filter(pk=key).values_list("lease", flat=True).get()

        wait_until(lambda: holder() is not None, "a worker")
        dead = holder()
        with first.another_worker(folder):
            first.processes["worker 0"].stop(signal.SIGKILL)
            start = time.monotonic()
            if holder() != dead:
                raise RuntimeError("the environment was done before its worker could be killed")
            wait_until(lambda: holder() not in (None, dead), "another worker", _PATIENCE)
            took = time.monotonic() - start
    Environment.objects.filter(pk=key).delete()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-recovery-") as folder:
        report = measure(Path(folder), options.runs)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
