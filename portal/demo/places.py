"""The clusters of the demo: simulated ones, a real control plane on loopback, or the one of a kubeconfig."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from environments.kube.manifests import SELECTOR
from portal.demo import controlplane
from portal.demo.options import Options
from portal.demo.ports import kept_port
from portal.demo.simulated import Controllers, SimulatedCluster, Workloads

SIMULATED = (
    ("amsterdam", "Amsterdam", "Shared cluster for building and testing"),
    ("dublin", "Dublin", "Shared cluster with GPUs"),
)


@dataclass(frozen=True)
class Place:
    """The values for one cluster's row."""

    slug: str
    name: str
    description: str
    credential_kind: str
    credential: str
    server: str = ""
    certificate_authority: str = ""
    is_simulated: bool = False


@contextmanager
def clusters(options: Options) -> Iterator[list[Place]]:
    """Start the clusters, and stop them when the block ends."""
    with ExitStack() as stack:
        if options.kubeconfig:
            text = options.kubeconfig.read_text(encoding="utf-8")
            yield [Place("cluster", "Cluster", "From your kubeconfig", "kubeconfig", text)]
        elif options.control_plane:
            yield [_real(stack, options)]
        else:
            yield [_simulated(stack, options, *words) for words in SIMULATED]


def _real(stack: ExitStack, options: Options) -> Place:
    reason = controlplane.available()
    if reason:
        raise RuntimeError(reason)
    plane = stack.enter_context(controlplane.ControlPlane())
    plane.apply_rbac()
    words = ("loopback", "Loopback", "A real control plane on this machine", "token")
    return Place(*words, plane.portal_token(), plane.url, plane.ca_pem)


def _simulated(stack: ExitStack, options: Options, slug: str, name: str, description: str) -> Place:
    cluster = stack.enter_context(
        SimulatedCluster(
            kept_port(options.data / f"{slug}.port"),
            options.data / f"{slug}.json",
            certificates_folder=options.data / f"{slug}-certificates",
        )
    )
    stack.enter_context(Controllers(cluster))
    stack.enter_context(Workloads(cluster, selector=SELECTOR))
    words = (slug, name, description, "token")
    return Place(*words, cluster.portal_token, cluster.url, cluster.certificate_authority, is_simulated=True)
