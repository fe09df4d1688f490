"""Time from submit to Ready: through the database, the queue and a worker, on each kind of cluster."""

import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml
from django.core.management import call_command

from environments import actions
from environments.actions import memberships
from environments.kube import manifests
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Directory, Environment, TemplateVersion, User
from environments.reconcile import desired
from portal.demo import controlplane, services
from portal.demo.idp import IdentityProvider
from portal.demo.simulated import SimulatedCluster

RUNS = 20
_PATIENCE = 20.0  # seconds


def measure(folder: Path, runs: int = RUNS) -> dict[str, dict[str, float]]:
    """Milliseconds of each way: median, fastest and slowest; kubectl first where there is a control plane."""
    return {name: _figures(times) for name, times in _times(folder, runs).items()}


def _figures(times: list[float]) -> dict[str, float]:
    return {
        "median_ms": round(statistics.median(times) * 1000, 1),
        "min_ms": round(min(times) * 1000, 1),
        "max_ms": round(max(times) * 1000, 1),
        "runs": len(times),
    }


def _times(folder: Path, runs: int) -> dict[str, list[float]]:
    """Seconds of each run of each way."""
    call_command("migrate", verbosity=0)
    call_command("import_templates", without_check=True, verbosity=0, stdout=_Silence())
    owner = User.objects.create(username="dana", email="dana@example.com")
    rows: dict[str, list[float]] = {}
    with ExitStack() as stack:
        stack.enter_context(services.queue())
        local = Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
        if not controlplane.available():
            plane = stack.enter_context(controlplane.ControlPlane())
            plane.apply_rbac()
            real = _cluster("real", plane.url, plane.portal_token(), plane.ca_pem)
            ready = _submit_all(owner, real, runs)
            rows["kubectl apply --server-side, real control plane"] = _kubectl(plane, folder, runs)
            rows["submit to Ready, real control plane"] = ready
            rows["member added to the cluster's yes, real"] = _add_members(owner, real, runs)
            with _canaille(folder, local):
                rows["submit to Ready, real, groups by SCIM"] = _submit_all(owner, real, runs)
        cluster = stack.enter_context(SimulatedCluster())
        simulated = _cluster("simulated", cluster.url, cluster.portal_token, "")
        rows["submit to Ready, simulated cluster"] = _submit_all(owner, simulated, runs)
    return rows


def _cluster(slug: str, server: str, token: str, ca: str) -> Cluster:
    return Cluster.objects.create(slug=slug, name=slug, server=server, credential=token, certificate_authority=ca)


def _submit_all(owner: User, cluster: Cluster, runs: int) -> list[float]:
    _submit(owner, cluster)  # the first one opens connections
    return [_submit(owner, cluster) for _ in range(runs)]


def _submit(owner: User, cluster: Cluster) -> float:
    """Seconds from the request to the moment at which the record says Ready."""
    version = TemplateVersion.objects.get(template__slug="gpu-namespace")
    start = time.monotonic()
    request = actions.Draft(version=version, name="bench", cluster=cluster, size="small")
    environment = actions.request_environment(owner, request)
    while not Environment.objects.filter(pk=environment.pk, phase=Phase.READY).exists():
        if time.monotonic() - start > _PATIENCE:
            raise TimeoutError(f"{environment.namespace} did not become Ready")
        time.sleep(0.002)
    return time.monotonic() - start


def _add_members(owner: User, cluster: Cluster, runs: int) -> list[float]:
    """Seconds from adding a member to the moment at which the cluster said yes to them."""
    environment = Environment.objects.filter(cluster=cluster, phase=Phase.READY).latest("created_at")
    times = []
    for number in range(runs):
        address = f"person{number}@example.com"
        User.objects.create(username=address, email=address)
        start = time.monotonic()
        memberships.add_members(environment, owner, [address], Role.DEVELOPER)
        while not environment.members.filter(email=address, allowed=True).exists():
            if time.monotonic() - start > _PATIENCE:
                raise TimeoutError(f"{address} was not let in")
            time.sleep(0.002)
        times.append(time.monotonic() - start)
    return times


def _kubectl(plane: controlplane.ControlPlane, folder: Path, runs: int) -> list[float]:
    """The same objects by kubectl, which proves nothing and asks nobody."""
    sample = Environment.objects.select_related("owner", "version__template", "cluster").first()
    assert sample is not None
    kubectl = [str(controlplane.assets() / "kubectl"), f"--server={plane.url}", f"--token={plane.admin_token}"]
    (folder / "ca.pem").write_text(plane.ca_pem)
    kubectl += [f"--certificate-authority={folder / 'ca.pem'}", f"--cache-dir={folder / 'cache'}"]
    times = []
    for number in range(runs + 1):
        text = yaml.safe_dump_all(manifests.all_manifests(desired.desired_with_bindings(sample)))
        text = text.replace(sample.namespace, f"kubectl-{number}")
        start = time.monotonic()
        subprocess.run(
            [*kubectl, "apply", "--server-side", "-f", "-"], input=text.encode(), check=True, stdout=subprocess.DEVNULL
        )
        times.append(time.monotonic() - start)
    return times[1:]  # the first one fills kubectl's discovery cache


@contextmanager
def _canaille(folder: Path, local: Directory) -> Iterator[None]:
    """A real SCIM server as the default directory."""
    (folder / "idp").mkdir()
    provider = IdentityProvider(folder / "idp", 8653, "http://localhost:8652")
    provider.start()
    try:
        provider.wait_ready()
        Directory.objects.update(is_default=False)
        scim = Directory.objects.create(
            name="Canaille",
            kind=Directory.Kind.SCIM,
            url=provider.scim_url,
            token_url=provider.token_url,
            client_id=provider.scim_client_id,
            secret=provider.scim_client_secret,
            is_default=True,
        )
        yield
        Directory.objects.filter(pk=scim.pk).update(is_default=False)
        Directory.objects.filter(pk=local.pk).update(is_default=True)
    finally:
        provider.stop()


class _Silence:
    def write(self, text: str) -> int:
        return len(text)
