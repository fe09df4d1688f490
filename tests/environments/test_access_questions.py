"""How many questions prove access, and what they still find: a role that was edited, a binding that opens a fence."""

import time
from types import SimpleNamespace

import pytest

from environments import kube
from environments.actions import memberships
from environments.kube import rbac
from environments.kube.client import ClusterClient, Question
from environments.lib.phases import Phase, Role, Status
from environments.models import User
from environments.reconcile.steps import access
from tests.arranging import settle
from tests.faults.proxy import FaultProxy

pytestmark = pytest.mark.django_db

ROLES = {each["metadata"]["name"]: each for each in rbac.documents() if each["kind"] == "ClusterRole"}
ALL = len(access.FENCES)


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, str]]:
    """Every access question about a person: (what, user)."""
    calls, real = [], ClusterClient.may

    def may(self, question, user, groups):
        calls.append((f"{question.verb} {question.resource}", user))
        return real(self, question, user, groups)

    monkeypatch.setattr(ClusterClient, "may", may)
    return calls


@pytest.fixture
def requests(place):
    """Every request to the cluster: (method, path)."""
    found: list[tuple[str, str]] = []
    with FaultProxy(
        place.server, watch=lambda method, path, _: found.append((method, path.partition("?")[0]))
    ) as proxy:
        place.server = proxy.url
        place.save()
        yield found


def look(environment):
    """Reconcile again, as the six-hourly look does."""
    type(environment).objects.filter(pk=environment.pk).owe()
    return settle(environment)


def rules(name: str, *, without: str = "", more: tuple = ()) -> dict:
    """A shipped role as somebody edits it."""
    kept = [
        rule | {"resources": [each for each in rule["resources"] if each != without]} for rule in ROLES[name]["rules"]
    ]
    return ROLES[name] | {"rules": [*(each for each in kept if each["resources"]), *more]}


def rule(verb: str, resource: str, group: str = "") -> dict:
    return {"apiGroups": [group], "resources": [resource], "verbs": [verb]}


def cluster_binding(admin, name: str, question: Question, user: str) -> None:
    """Somebody gives a person one right all over the cluster."""
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
    admin.apply(kind | {"kind": "ClusterRole", "rules": [rule(question.verb, question.resource, question.group)]})
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    admin.apply(kind | {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]})


class TestANewEnvironment:
    def test_takes_ten_calls_once_its_owner_and_the_roles_are_known(self, ask, requests):
        settle(ask("first"))
        requests.clear()
        assert settle(ask("second")).phase == Phase.READY
        assert len(requests) == 10, requests

    def test_takes_nine_where_the_cluster_refuses_critical_pods_itself(self, ask, requests, place):
        type(place).objects.filter(pk=place.pk).update(admission_state="installed")
        settle(ask("first"))
        requests.clear()
        assert settle(ask("second")).phase == Phase.READY
        assert len(requests) == 9, requests

    def test_costs_one_thing_that_only_the_role_gives_and_one_that_nobody_may(self, ask, asked):
        settle(ask("first"))
        assert len(asked) == ALL + 1, "of the first, all that no member may"
        asked.clear()
        settle(ask("second"))
        assert asked == [("patch networkpolicies", "dana@example.com"), ("create secrets", "dana@example.com")]

    @pytest.mark.parametrize("fence", access.FENCES, ids=str)
    def test_finds_what_a_person_may_all_over_the_cluster(self, ask, admin, fence):
        cluster_binding(admin, "opener", fence, "dana@example.com")
        message = settle(ask()).members.get().message
        assert f"Another role on the cluster allows them to {fence}" in message
        again = settle(ask("again")).members.get().message
        assert again == message, "only a refusal is remembered"

    def test_is_not_ready_if_a_role_does_not_give_what_it_promises(self, ask, admin):
        admin.apply(rules("environment-admin", without="pods"))
        environment = settle(ask(), tries=3)
        assert environment.phase == Phase.PROVISIONING
        assert "does not allow them to create pods yet" in environment.members.get().message


class TestALook:
    @pytest.mark.parametrize(("without", "said"), [("pods", "create pods"), ("secrets", "create secrets")])
    def test_finds_a_role_that_gives_less(self, ask, admin, without, said):
        environment = settle(ask())
        admin.apply(rules("environment-admin", without=without))
        type(environment).objects.filter(pk=environment.pk).owe()
        environment = settle(environment, tries=3)
        assert environment.members.get().allowed is False
        assert said in environment.members.get().message
        assert environment.conditions.get(type="Access").status == Status.WAITING

    @pytest.mark.parametrize("fence", access.FENCES, ids=str)
    def test_finds_a_role_that_gives_too_much(self, ask, admin, fence):
        environment = settle(ask())
        admin.apply(rules("environment-admin", more=(rule(fence.verb, fence.resource, fence.group),)))
        member = look(environment).members.get()
        assert member.allowed is True
        assert f"allows them to {fence}" in member.message

    @pytest.mark.parametrize("fence", access.FENCES, ids=str)
    def test_finds_a_binding_all_over_the_cluster(self, ask, admin, fence):
        environment = settle(ask())
        cluster_binding(admin, "opener", fence, "dana@example.com")
        assert f"allows them to {fence}" in look(environment).members.get().message

    def test_asks_for_each_promise_of_a_role_with_rules_of_its_own(self, ask, admin, asked):
        admin.apply(rules("environment-admin", more=(rule("get", "widgets", "example.com"),)))
        assert settle(ask()).phase == Phase.READY
        assert len(asked) == ALL + len(access.PROMISES[Role.ADMIN])

    def test_asks_about_everyone(self, ask, asked):
        environment = settle(ask(collaborators={"theo@example.com": Role.VIEWER}))
        asked.clear()
        look(environment)
        assert len(asked) == 2 * (ALL + 1)
        assert {user for _, user in asked} == {"dana@example.com", "theo@example.com"}

    def test_asks_once_about_people_whom_no_binding_names(self, ask, place, asked):
        type(place).objects.filter(pk=place.pk).update(bind_members=False)
        place.refresh_from_db()
        others = {f"p{number}@example.com": Role.DEVELOPER for number in range(3)}
        User.objects.bulk_create(User(username=address, email=address) for address in others)
        environment = settle(ask(collaborators=others))
        assert environment.phase == Phase.READY
        assert environment.members.filter(allowed=True).count() == 4
        assert len(asked) == ALL + 1 + 2, "owner and developers, each by their group"


class TestAnOlderAccount:
    """One whose rights are from before the portal compared roles."""

    @pytest.fixture(autouse=True)
    def older(self, admin, simulated):
        own = ROLES["allotment-portal"]
        admin.apply(
            own
            | {
                "rules": [
                    each | {"verbs": [verb for verb in each["verbs"] if verb != "get"]}
                    if each["resources"] == ["clusterroles"]
                    else each
                    for each in own["rules"]
                ]
            }
        )

    def test_asks_for_each_promise(self, ask, asked, requests):
        assert settle(ask()).phase == Phase.READY
        assert len(asked) == ALL + len(access.PROMISES[Role.ADMIN])
        requests.clear()
        assert settle(ask("again")).phase == Phase.READY
        assert not [path for _, path in requests if "clusterroles" in path], "a refusal is not asked for again at once"

    def test_misses_no_permission(self, place):
        assert rbac.missing_permissions(kube.connect(place)) == []


class TestAMemberMore:
    @pytest.mark.parametrize("count", [1, 19])
    def test_costs_the_same_however_many_there_are(self, ask, asked, requests, people, count):
        others = [f"p{number}@example.com" for number in range(count)]
        User.objects.bulk_create(User(username=address, email=address) for address in [*others, "new@example.com"])
        environment = settle(ask(collaborators=dict.fromkeys(others, Role.DEVELOPER)))
        asked.clear()
        requests.clear()
        memberships.add_members(environment, people[0], ["new@example.com"], Role.DEVELOPER)
        environment = settle(environment)
        assert environment.members.get(email="new@example.com").allowed is True
        assert environment.phase == Phase.READY
        assert {user for _, user in asked} == {"new@example.com"}
        assert len(asked) == ALL + 1
        assert len(requests) == 12, requests

    def test_people_whom_a_binding_had_lost_are_asked_about_too(self, ask, asked, admin, people):
        User.objects.create(username="new", email="new@example.com")
        environment = settle(ask(collaborators={"theo@example.com": Role.DEVELOPER}))
        binding = admin.get("RoleBinding", "environment-developer", environment.namespace)
        binding["subjects"] = [each for each in binding["subjects"] if each["name"] != "theo@example.com"]
        place = {key: binding["metadata"][key] for key in ("name", "namespace")}
        admin.overwrite(binding | {"metadata": place})
        asked.clear()
        memberships.add_members(environment, people[0], ["new@example.com"], Role.DEVELOPER)
        environment = settle(environment)
        assert {user for _, user in asked} == {"new@example.com", "theo@example.com"}
        assert environment.members.filter(allowed=True).count() == 3


class TestWhatIsRemembered:
    @pytest.fixture
    def later(self, monkeypatch):
        """Seconds by which the clock of the memory is ahead."""
        ahead = [0.0]
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead[0])
        monkeypatch.setattr("environments.kube.memory.time", clock)
        return ahead

    def test_is_forgotten_after_a_minute(self, ask, asked, later):
        settle(ask("first"))
        asked.clear()
        later[0] = 61
        settle(ask("second"))
        assert len(asked) == ALL + 1

    def test_an_edited_role_is_found_by_then_in_new_environments_too(self, ask, admin, later):
        settle(ask("first"))
        admin.apply(rules("environment-admin", without="pods"))
        later[0] = 61
        assert settle(ask("second"), tries=3).phase == Phase.PROVISIONING

    def test_of_one_person_says_nothing_of_another(self, ask, asked, place, admin, people):
        fence = access.FENCES[1]
        cluster_binding(admin, "opener", fence, "theo@example.com")
        settle(ask("first"))
        environment = settle(ask("second", collaborators={"theo@example.com": Role.VIEWER}))
        assert f"allows them to {fence}" in environment.members.get(email="theo@example.com").message
        assert environment.members.get(email="dana@example.com").message == ""
