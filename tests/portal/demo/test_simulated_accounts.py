"""Who a token stands for in the simulated cluster."""

import time

import pytest

from environments.kube.client import ClusterClient, Question
from environments.lib.errors import PermanentError, TemporaryError
from portal.demo.simulated import SimulatedCluster, User
from portal.demo.simulated.accounts import Accounts
from portal.demo.simulated.kinds import BY_NAME
from portal.demo.simulated.statuses import StatusError
from portal.demo.simulated.store import Store
from tests.contract.arrange import Way, namespace, role_binding

ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci", "namespace": "home", "uid": "1"}}


@pytest.fixture
def store():
    store = Store()
    store.put(BY_NAME["ServiceAccount"], ACCOUNT)
    return store


def _token(accounts: Accounts, **options) -> str:
    return accounts.issue("ci", "home", {"spec": {"expirationSeconds": 600}}, **options)["status"]["token"]


def test_a_requested_token_stands_for_its_service_account(store):
    accounts = Accounts(store, b"key", {})
    assert accounts.authenticate(f"Bearer {_token(accounts)}") == User(
        "system:serviceaccount:home:ci",
        ("system:serviceaccounts", "system:serviceaccounts:home", "system:authenticated"),
    )


@pytest.mark.parametrize(
    "spoil",
    [lambda token: token[:-3] + "abc", lambda token: "x." + token, lambda token: "", lambda token: token.split(".")[0]],
    ids=["another signature", "another head", "nothing", "a part"],
)
def test_a_spoilt_token_stands_for_nobody(store, spoil):
    accounts = Accounts(store, b"key", {})
    with pytest.raises(StatusError, match="Unauthorized"):
        accounts.authenticate(f"Bearer {spoil(_token(accounts))}")


def test_a_token_ends(store):
    accounts = Accounts(store, b"key", {})
    with pytest.raises(StatusError, match="Unauthorized"):
        accounts.authenticate(f"Bearer {_token(accounts, now=time.time() - 601)}")


def test_a_token_ends_with_its_account_even_if_another_takes_the_name(store):
    accounts = Accounts(store, b"key", {})
    token = _token(accounts)
    store.put(BY_NAME["ServiceAccount"], ACCOUNT | {"metadata": ACCOUNT["metadata"] | {"uid": "2"}})
    with pytest.raises(StatusError, match="Unauthorized"):
        accounts.authenticate(f"Bearer {token}")


def test_people_of_the_table_sign_in_with_their_token_and_groups():
    tokens = {"danas-token": User("dana@example.com", ("home-admin",))}
    with SimulatedCluster(tokens=tokens) as cluster:
        admin = ClusterClient(Way(cluster.url, cluster.admin_token))
        admin.apply(namespace("home"))
        admin.apply(role_binding("home", "environment-admin", ("Group", "home-admin")))
        dana = ClusterClient(Way(cluster.url, "danas-token"))
        assert list(dana.list_objects("Pod", "home")) == []
        assert dana.may_i(Question("create", "deployments", "apps", "home")).allowed
        with pytest.raises(PermanentError, match=r'User "dana@example\.com" cannot list resource "pods"'):
            list(dana.list_objects("Pod"))


def test_who_has_no_token_of_the_table_is_nobody():
    with SimulatedCluster() as cluster, pytest.raises(TemporaryError) as caught:
        ClusterClient(Way(cluster.url, "danas-token")).get("Namespace", "default")
    assert caught.value.reason == "Unauthorized"
