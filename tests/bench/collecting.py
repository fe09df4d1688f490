"""One collecting pass over many namespaces, next to a bare HTTP client that reads the same pages in the same run.

The control plane has the portal's own objects in every namespace, and quotas with the status that the controller
manager writes; the database has the environments that belong to them. Without a control plane a simulated cluster
stands in. Both readers run in processes of their own, by turns, so that time and memory are theirs alone.

    python -m tests.bench.collecting --namespaces 2000
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import batched
from pathlib import Path
from typing import Any

NAMESPACES, RUNS = 10_000, 3
_CONNECTIONS = 8
_PATIENCE = 1800.0  # seconds until every quota is counted
_CHOICES = [("1000m", "1024Mi"), ("2000m", "2048Mi"), ("4000m", "4096Mi")]


@dataclass(frozen=True)
class Figures:
    """What one way of reading took, at the median. The ratios are to the bare client of the same run.

    `cpu_s` and `cpu_ratio` are the process's own seconds: on a busy machine they say more than the wall clock.
    """

    median_s: float
    min_s: float
    max_s: float
    peak_mb: float
    calls: int
    megabytes: float
    objects: int
    ratio: float
    cpu_s: float
    cpu_ratio: float


def measure(folder: Path, namespaces: int = NAMESPACES, runs: int = RUNS) -> dict[str, dict[str, float]]:
    """Fill a cluster and the database, read them both ways, and give the figures of each way.

    Needs Django set up and a database of its own at DATABASE_URL.
    """
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with _some_cluster(folder) as (name, row, admin):
        fill(row, admin, namespaces)
        return compare(row, name, runs)


def fill(row: Any, admin: Any, namespaces: int) -> None:
    """Make environments in the database, and their objects on the cluster; back when every quota is counted."""
    ids = _make_environments(row, namespaces)
    from environments.routine.observe import expectations

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        for batch in batched(ids, 500, strict=False):
            list(pool.map(lambda desired: _make_objects(admin, desired), expectations.load(row, batch).values()))
    _wait_until_counted(admin)


def compare(row: Any, name: str, runs: int) -> dict[str, dict[str, float]]:
    """Both readers by turns, the portal's first pass apart: it has all figures to write down."""
    connection = json.dumps({"server": row.server, "token": row.credential, "ca": row.certificate_authority})
    _read("bare", connection)  # the API server warms up
    first = _read("pass", str(row.pk))
    bare, ours = [], []
    for _ in range(runs):
        bare.append(_read("bare", connection))
        ours.append(_read("pass", str(row.pk)))
    ways = {
        f"bare HTTP client, {name}": bare,
        f"first collecting pass, {name}": [first],
        f"collecting pass, {name}": ours,
    }
    return {way: asdict(_figures(results, bare)) for way, results in ways.items()}


def _figures(results: list[dict[str, float]], bare: list[dict[str, float]]) -> Figures:
    times = [each["seconds"] for each in results]
    return Figures(
        median_s=round(statistics.median(times), 2),
        min_s=round(min(times), 2),
        max_s=round(max(times), 2),
        peak_mb=max(each["peak_mb"] for each in results),
        calls=int(results[-1]["calls"]),
        megabytes=results[-1]["megabytes"],
        objects=int(results[-1]["objects"]),
        ratio=round(statistics.median(times) / _median(bare, "seconds"), 2),
        cpu_s=round(_median(results, "cpu"), 2),
        cpu_ratio=round(_median(results, "cpu") / _median(bare, "cpu"), 2),
    )


def _median(results: list[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in results)


def _read(how: str, argument: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.collecting_reader", how]
    answer = subprocess.run(command, input=argument, capture_output=True, text=True, check=False, timeout=900)
    if answer.returncode:
        raise RuntimeError(f"{how} failed:\n{answer.stderr[-2000:]}")
    result: dict[str, float] = json.loads(answer.stdout)
    return result


@contextmanager
def _some_cluster(folder: Path) -> Iterator[tuple[str, Any, Any]]:
    """A control plane where there is one, else a simulated cluster: its name, its row, and its administrator."""
    from environments.kube.client import ClusterClient
    from portal.demo import controlplane
    from portal.demo.simulated import SimulatedCluster

    if controlplane.available():
        with SimulatedCluster() as simulated:
            row = _row(simulated.url, simulated.portal_token, "")
            admin = controlplane.Endpoint(simulated.url, simulated.admin_token)
            yield "simulated cluster", row, ClusterClient(admin, timeout=(3, 60))
    else:
        with controlplane.ControlPlane(folder / "control-plane") as plane:
            plane.apply_rbac()
            row = _row(plane.url, plane.portal_token(12 * 3600), plane.ca_pem)
            yield "real control plane", row, ClusterClient(plane.endpoint(plane.admin_token), timeout=(3, 60))


def _row(server: str, token: str, authority: str) -> Any:
    from environments.models import Cluster

    return Cluster.objects.create(
        slug="bench-collecting", name="Collecting", server=server, credential=token, certificate_authority=authority
    )


def _make_environments(row: Any, count: int) -> list[str]:
    """Ready environments of one template in a few sizes, each with its owner, every third with a collaborator."""
    from django.core.management import call_command
    from django.utils import timezone

    from environments.lib.phases import Phase, Role
    from environments.models import Directory, Environment, Group, Member, Team, TemplateVersion, User

    call_command("import_templates", without_check=True, verbosity=0)
    version = TemplateVersion.objects.get(template__slug="namespace", number=1)
    directory, _ = Directory.objects.get_or_create(name="Collecting", kind=Directory.Kind.LOCAL)
    team = Team.objects.create(name="Collecting", group="collecting", manager_group="collecting-managers")
    address = "collecting{:03}@example.com"
    users = User.objects.bulk_create(
        User(username=address.format(number), email=address.format(number)) for number in range(200)
    )
    environments, members, groups = [], [], []
    for number in range(count):
        cpu, memory = _CHOICES[number % len(_CHOICES)]
        owner, other = users[number % 200], users[(number + 1) % 200]
        environment = Environment(
            name=f"Collecting {number}",
            purpose="To be collected from.",
            namespace=f"collecting-{number:05}",
            owner=owner,
            team=team,
            version=version,
            spec=version.spec,
            parameters={"cpu": cpu, "memory": memory, "network_policy": "enabled"},
            cluster=row,
            directory=directory,
            phase=Phase.READY,
            observed_generation=1,
            next_reconcile_at=timezone.now() + timedelta(days=1),
        )
        environments.append(environment)
        for user, role in [(owner, Role.ADMIN), (other, Role.DEVELOPER)][: 2 if number % 3 == 0 else 1]:
            name = f"{environment.namespace}-{role.value}"
            groups.append(Group(environment=environment, role=role, name=name, directory_id=name))
            members.append(Member(environment=environment, email=user.email, role=role, in_group=True, bound=True))
    for model, rows in ((Environment, environments), (Group, groups), (Member, members)):
        model.objects.bulk_create(rows, batch_size=500)
    return [str(environment.pk) for environment in environments]


def _make_objects(admin: Any, desired: Any) -> None:
    from environments.kube import manifests

    for manifest in manifests.all_manifests(desired):
        admin.create(manifest)


def _wait_until_counted(admin: Any) -> None:
    """The controller manager writes the quotas' status in its own time."""
    from environments.kube import manifests
    from environments.routine.observe import reading

    start = time.monotonic()
    while any(not reading.usage(quota) for quota in _all(admin, manifests.SELECTOR)):
        if time.monotonic() - start > _PATIENCE:
            raise TimeoutError("The controller manager does not count the quotas.")
        time.sleep(5)


def _all(admin: Any, selector: str) -> Iterable[dict[str, Any]]:
    found: Iterable[dict[str, Any]] = admin.list_objects("ResourceQuota", labels=selector)
    return found


def main() -> None:
    """Measure, print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--namespaces", type=int, default=NAMESPACES)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3")
        os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "LOG_LEVEL": "ERROR"}
        import django

        django.setup()
        sys.stdout.write(json.dumps(measure(Path(folder), options.namespaces, options.runs), indent=1) + "\n")


if __name__ == "__main__":
    main()
