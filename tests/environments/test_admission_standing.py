"""What counts as installed, without a cluster. tests/contract/test_admission_standing.py asks both."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from environments.kube import admission
from environments.kube.admission import State
from environments.lib.errors import PermanentError, TemporaryError

DOMAIN = "corp.example"
ISOLATION, OBJECTS, NAMESPACES = (f"allotment-{name}" for name in ("isolation", "objects", "namespaces"))
PODS, SERVICES, LABELS = (f"allotment-{name}" for name in ("pods", "services", "labels"))
INGRESSES, ROUTES = "allotment-ingresses", "allotment-routes"
PERMITTING = (OBJECTS, ISOLATION, PODS, SERVICES, INGRESSES, ROUTES, LABELS)


class Answers:
    """A cluster that has these documents, and calls the portal by this name."""

    def __init__(self, documents: list[dict[str, Any]], account: str | Exception = admission.PORTAL) -> None:
        self._found = {(each["kind"], each["metadata"]["name"]): each for each in documents}
        self._account = account

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        return self._found.get((kind, name))

    def whoami(self) -> str:
        if isinstance(self._account, Exception):
            raise self._account
        return self._account


class Refuses(Answers):
    """A cluster that answers every look with an error."""

    def __init__(self, error: Exception, account: str = admission.PORTAL) -> None:
        super().__init__([], account)
        self._error = error

    def get(self, kind: str, name: str) -> None:
        raise self._error


def installed(**options: Any) -> list[dict[str, Any]]:
    """The documents as a cluster has them: with what the API server adds."""
    found = copy.deepcopy(admission.documents(**({"label_domain": DOMAIN} | options)))
    for each in found:
        if constraints := each["spec"].get("matchConstraints"):
            for key, default in (("matchPolicy", "Equivalent"), ("namespaceSelector", {}), ("objectSelector", {})):
                constraints.setdefault(key, default)
            for rule in constraints["resourceRules"]:
                rule["scope"] = "*"
    return found


def standing(cluster: Answers) -> admission.Standing:
    return admission.standing(cluster, DOMAIN)


def policy(name: str, change: Callable[[dict[str, Any]], object]) -> tuple[str, Callable[[Any], object]]:
    return f"policy {name}", change


def binding(name: str, change: Callable[[dict[str, Any]], object]) -> tuple[str, Callable[[Any], object]]:
    return f"binding {name}", change


def changed(title: str, change: Callable[[Any], object]) -> list[dict[str, Any]]:
    found = installed()
    what, name = title.split()
    for each in found:
        if each["metadata"]["name"] == name and each["kind"].endswith("Binding") == (what == "binding"):
            change(each["spec"])
    return found


def test_what_the_api_server_adds_changes_nothing():
    assert standing(Answers(installed())) == admission.Standing(State.INSTALLED)


@pytest.mark.parametrize(
    ("title", "change"),
    [
        binding(OBJECTS, lambda spec: spec["validationActions"].append("Audit")),
        policy(ISOLATION, lambda spec: spec["matchConstraints"]["resourceRules"][0]["operations"].append("DELETE")),
        policy(OBJECTS, lambda spec: spec.update(auditAnnotations=[], paramKind=None)),
    ],
)
def test_what_does_more_is_as_good(title, change):
    assert standing(Answers(changed(title, change))).state is State.INSTALLED


@pytest.mark.parametrize(
    ("title", "change"),
    [
        binding(OBJECTS, lambda spec: spec.update(validationActions=["Warn"])),
        binding(OBJECTS, lambda spec: spec.update(validationActions=[])),
        binding(OBJECTS, lambda spec: spec.update(policyName="another")),
        binding(ISOLATION, lambda spec: spec.update(matchResources={"namespaceSelector": {"matchLabels": {"a": "b"}}})),
        binding(ISOLATION, lambda spec: spec.update(paramRef={"name": "x"})),
        binding(ISOLATION, lambda spec: spec.clear()),
        policy(OBJECTS, lambda spec: spec.update(failurePolicy="Ignore")),
        policy(NAMESPACES, lambda spec: spec["validations"].pop()),
        policy(NAMESPACES, lambda spec: spec["validations"].append({"expression": "true"})),
        policy(NAMESPACES, lambda spec: spec["validations"][0].update(message="Older words.")),
        policy(NAMESPACES, lambda spec: spec["matchConditions"].append({"name": "off", "expression": "false"})),
        policy(NAMESPACES, lambda spec: spec["matchConstraints"].update(namespaceSelector={"matchLabels": {"a": "b"}})),
        policy(ISOLATION, lambda spec: spec["matchConstraints"].update(excludeResourceRules=[{"resources": ["*"]}])),
        policy(ISOLATION, lambda spec: spec["matchConstraints"].update(matchPolicy="Exact")),
        policy(ISOLATION, lambda spec: spec["matchConstraints"]["resourceRules"].pop()),
        policy(ISOLATION, lambda spec: spec["matchConstraints"]["resourceRules"][0].update(scope="Cluster")),
        policy(ISOLATION, lambda spec: spec["matchConstraints"]["resourceRules"][0].update(resourceNames=["x"])),
        policy(OBJECTS, lambda spec: spec.update(matchConditions="none")),
        policy(OBJECTS, lambda spec: spec.update(validations=[1, None])),
        policy(OBJECTS, lambda spec: spec.clear()),
    ],
)
def test_what_does_less_is_named(title, change):
    found = standing(Answers(changed(title, change)))
    assert (found.state, found.names) == (State.OLDER, (title,))
    assert found.command == "manage.py print_admission | kubectl replace -f -"


@pytest.mark.parametrize("field", ["spec", "status"])
def test_an_object_without_the_part_is_an_older_one(field):
    found = installed()
    found[0].pop(field, None)
    assert standing(Answers(found)).state is (State.OLDER if field == "spec" else State.INSTALLED)


@pytest.mark.parametrize("index", range(6))
def test_each_is_missed(index):
    found = installed()
    gone = found.pop(index)
    missing = standing(Answers(found))
    what = "binding" if gone["kind"].endswith("Binding") else "policy"
    assert (missing.state, missing.names) == (State.MISSING, (f"{what} {gone['metadata']['name']}",))
    assert "install the policies" in missing.says


def test_a_portal_of_another_name_is_exempt_by_that_name_or_they_are_not_its_own():
    account = "system:serviceaccount:portals:portal"
    assert standing(Answers(installed(account=account), account)).state is State.INSTALLED
    others = standing(Answers(installed(), account))
    assert (others.state, len(others.names)) == (State.OLDER, 5)
    assert others.command == f"manage.py print_admission --account={account} | kubectl replace -f -"


def test_a_group_that_all_of_them_exempt_is_kept_and_one_that_some_do_is_not():
    assert standing(Answers(installed(break_glass=["glass"]))) == admission.Standing(State.INSTALLED, exempt=("glass",))
    mixed = installed(break_glass=["glass"])[:2] + installed(break_glass=["glass", "friends"])[2:]
    found = standing(Answers(mixed))
    assert (found.state, found.exempt) == (State.OLDER, ("glass",))
    assert set(found.names) == {f"policy {name}" for name in PERMITTING}
    assert "friends" not in found.command


def test_no_answer_makes_the_page_endless():
    many = [f"group-{number}" for number in range(1000)]
    found = standing(Answers(installed(break_glass=many)))
    assert (found.state, len(found.exempt)) == (State.OLDER, 20)


@pytest.mark.parametrize(
    ("account", "command"),
    [
        (admission.PORTAL, "manage.py print_rbac | kubectl apply -f -"),
        (
            "system:serviceaccount:portals:portal",
            "manage.py print_rbac --account-namespace=portals | kubectl apply -f -",
        ),
        ("ada@example.com", "manage.py print_rbac | kubectl apply -f -"),
    ],
)
def test_a_refusal_is_no_failure(account, command):
    found = standing(Refuses(PermanentError("No.", reason="Forbidden"), account))
    assert (found.state, found.command) == (State.UNKNOWN, command)


@pytest.mark.parametrize("error", [TemporaryError("Down."), PermanentError("Odd.", reason="Invalid")])
def test_any_other_error_is_one(error):
    with pytest.raises(type(error), match=error.message):
        standing(Refuses(error))


@pytest.mark.parametrize("account", [PermanentError("What?", reason="NotFound"), "it's me", "back\\slash"])
def test_a_cluster_that_does_not_say_who_the_portal_is_is_taken_to_be_set_up_as_shipped(account):
    assert standing(Answers(installed(), account)).state is State.INSTALLED


def test_a_cluster_with_members_accounts_elsewhere_is_told_of_that_namespace():
    there = installed(account_namespace="accounts")
    assert admission.standing(Answers(there), DOMAIN, "accounts").state is State.INSTALLED
    found = admission.standing(Answers(installed()), DOMAIN, "accounts")
    assert (found.state, found.names) == (State.OLDER, ("policy allotment-portal",))
    assert found.command == "manage.py print_admission --account-namespace=accounts | kubectl replace -f -"


@pytest.mark.parametrize("namespace", ["", "it's", "a\\b", "<b>"])
def test_what_is_no_namespace_ends_no_look(namespace):
    assert admission.standing(Answers(installed()), DOMAIN, namespace).state is State.INSTALLED


def test_that_a_cluster_admin_lets_the_portal_make_privileged_namespaces_is_kept():
    assert standing(Answers(installed(privileged=True))).state is State.INSTALLED
    found = installed(privileged=True)
    found[-1]["spec"]["validationActions"] = ["Warn"]
    assert (
        standing(Answers(found)).command == "manage.py print_admission --privileged-namespaces | kubectl replace -f -"
    )
