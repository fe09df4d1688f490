"""One cluster of each kind for the whole run. Every test of this folder meets both."""

import secrets

import pytest

from portal.demo.simulated import Controllers, SimulatedCluster
from tests.contract.arrange import ClusterEndpoint, Raw, Way, namespace, real, simulated


@pytest.fixture(scope="session")
def simulated_endpoint():
    with simulated() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def real_endpoint():
    with real() as endpoint:
        yield endpoint


@pytest.fixture(scope="session", params=["simulated", pytest.param("real", marks=pytest.mark.real_cluster)])
def cluster_endpoint(request) -> ClusterEndpoint:
    # The two live in fixtures of their own, so that a random order does not start and stop them all the time.
    return request.getfixturevalue(f"{request.param}_endpoint")


@pytest.fixture(scope="module")
def own_simulated():
    """A simulated cluster for one module: what the module installs would get in the way of others."""
    with simulated() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def own_real():
    """A control plane for one module."""
    with real() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def demo_cluster(tmp_path_factory):
    """A simulated cluster as the demo starts it."""
    folder = tmp_path_factory.mktemp("demo")
    with SimulatedCluster(termination_delay=0.2, certificates_folder=folder) as cluster, Controllers(cluster):
        tokens = (cluster.portal_token, cluster.admin_token)
        ways = (Way(cluster.url, token, cluster.certificate_authority) for token in tokens)
        yield ClusterEndpoint("simulated", *ways)


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.real_cluster)])
def kubectl_endpoint(request) -> ClusterEndpoint:
    """A cluster that kubectl signs in to: over https."""
    return request.getfixturevalue("demo_cluster" if request.param == "simulated" else "real_endpoint")


@pytest.fixture
def portal(cluster_endpoint):
    """The portal's client: the least-privileged account, the portal's field manager."""
    return cluster_endpoint.client()


@pytest.fixture
def admin(cluster_endpoint):
    """An administrator with another field manager: somebody at a keyboard."""
    return cluster_endpoint.admin_client()


@pytest.fixture
def raw(cluster_endpoint):
    """Plain requests as the portal's account."""
    client = Raw(cluster_endpoint.portal)
    yield client
    client.close()


@pytest.fixture
def raw_admin(cluster_endpoint):
    """Plain requests as the administrator."""
    client = Raw(cluster_endpoint.admin)
    yield client
    client.close()


@pytest.fixture
def new_name(admin):
    """A namespace name that nobody has; the namespace is deleted afterwards if it was made."""
    name = f"contract-{secrets.token_hex(4)}"
    yield name
    admin.delete("Namespace", name)


@pytest.fixture
def home(portal, new_name) -> str:
    """A namespace that the portal made, by name."""
    portal.apply(namespace(new_name))
    return new_name
