"""Whether the admission policies are installed, as both clusters tell it to the portal's account.

Clusters of their own: the policies have one name each, and those of the other tests are to stay in force.
"""

import io
import shlex
import shutil
import subprocess
from collections.abc import Callable

import pytest
import yaml
from django.core.management import call_command

from environments.kube import admission, rbac
from environments.kube.admission import State
from environments.kube.client import ClusterClient
from environments.kube.kinds import path_of
from environments.models import Cluster
from environments.routine import policy_looks
from portal.demo import controlplane
from tests.contract.arrange import ClusterEndpoint, Way, eventually, real, simulated

DOMAIN = "told.example"
EVERYTHING = tuple(
    f"{what} allotment-{name}"
    for name in ("namespaces", "objects", "isolation", "portal", "pods", "services", "labels")
    for what in ("policy", "binding")
)
REAL = pytest.param("real", marks=pytest.mark.real_cluster)


@pytest.fixture(scope="module", params=["simulated", REAL])
def cluster_endpoint(request) -> ClusterEndpoint:
    return request.getfixturevalue(f"own_{request.param}")


@pytest.fixture
def install(admin):
    """Puts the policies there, as these arguments say, or with changes of one's own; nothing of them stays."""

    def put(*changed: dict, **options) -> None:
        for document in [*admission.documents(**({"label_domain": DOMAIN} | options)), *changed]:
            admin.apply(document)

    yield put
    for document in admission.documents():
        admin.delete(document["kind"], document["metadata"]["name"])


def named(name: str, kind: str = "ValidatingAdmissionPolicy") -> dict:
    """One of the documents, to change."""
    found = [each for each in admission.documents(label_domain=DOMAIN) if each["kind"] == kind]
    return next(each for each in found if each["metadata"]["name"] == name)


def test_where_none_is_installed_that_is_said(portal):
    standing = admission.standing(portal, DOMAIN)
    assert (standing.state, standing.names) == (State.MISSING, EVERYTHING)
    assert standing.command == "manage.py print_admission | kubectl apply -f -"


def test_where_they_are_installed_that_is_said_whatever_the_api_server_adds_to_them(portal, install):
    install()
    assert admission.standing(portal, DOMAIN) == admission.Standing(State.INSTALLED)
    install()
    assert admission.standing(portal, DOMAIN).state is State.INSTALLED


def test_who_is_exempt_besides_is_said_and_kept(portal, install, admin):
    groups = ("platform-emergency", "oidc:night shift")
    install(break_glass=groups)
    assert admission.standing(portal, DOMAIN) == admission.Standing(State.INSTALLED, exempt=groups)
    admin.delete("ValidatingAdmissionPolicyBinding", "allotment-objects")
    standing = admission.standing(portal, DOMAIN)
    assert (standing.state, standing.names) == (State.MISSING, ("binding allotment-objects",))
    assert standing.command == (
        "manage.py print_admission --break-glass-group=platform-emergency "
        "'--break-glass-group=oidc:night shift' | kubectl apply -f -"
    )


def test_those_of_an_older_portal_are_told_from_this_ones(portal, install):
    older = named("allotment-namespaces")
    del older["spec"]["validations"][-1]
    install(older)
    standing = admission.standing(portal, DOMAIN)
    assert (standing.state, standing.names) == (State.OLDER, ("policy allotment-namespaces",))


def test_those_that_do_no_more_than_warn_are_not_the_portals(portal, install):
    weak = named("allotment-isolation", "ValidatingAdmissionPolicyBinding")
    weak["spec"]["validationActions"] = ["Warn"]
    install(weak)
    assert admission.standing(portal, DOMAIN).names == ("binding allotment-isolation",)


def test_those_of_another_label_domain_are_not_this_portals(portal, install):
    install(label_domain="other.example")
    standing = admission.standing(portal, DOMAIN)
    assert (standing.state, set(standing.names)) == (
        State.OLDER,
        {title for title in EVERYTHING if title.startswith("policy")},
    )


@pytest.fixture
def type_in(cluster_endpoint, admin, tmp_path, settings) -> Callable[[str], None]:
    """Carries out what the portal says that a cluster admin types."""
    program = controlplane.assets() / "kubectl"
    kubectl = str(program) if program.exists() else shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl, neither beside the control plane nor on the PATH")
    way, settings.LABEL_DOMAIN = cluster_endpoint.admin, DOMAIN
    (tmp_path / "ca.pem").write_text(way.certificate_authority)
    options = [f"--server={way.server}", f"--token={way.credential}", f"--certificate-authority={tmp_path / 'ca.pem'}"]

    def run(command: str) -> None:
        (_, name, *arguments), (_, verb, *words) = (shlex.split(part) for part in command.split(" | "))
        printed = io.StringIO()
        call_command(name, *arguments, stdout=printed)
        if verb == "replace":
            replace(admin, printed.getvalue())
            return
        line = [kubectl, *options, verb, *words]
        subprocess.run(line, input=printed.getvalue().encode(), env={"HOME": str(tmp_path)}, check=True)

    return run


def replace(admin: ClusterClient, text: str) -> None:
    """As `kubectl replace`, which not every build of kubectl has: a PUT over the version that is there."""
    for document in yaml.safe_load_all(text):
        metadata = document["metadata"]
        metadata["resourceVersion"] = admin.get(document["kind"], metadata["name"])["metadata"]["resourceVersion"]
        admin._request("PUT", path_of(document["kind"], "", metadata["name"]), body=document)


@pytest.mark.parametrize("cluster_endpoint", [REAL], indirect=True)
def test_what_is_to_be_typed_puts_them_right_whatever_was_done_to_them(portal, admin, install, type_in):
    install_them = admission.standing(portal, DOMAIN).command
    type_in(install_them)
    assert admission.standing(portal, DOMAIN).state is State.INSTALLED
    loose = named("allotment-objects")
    loose["spec"]["matchConditions"].append({"name": "not-today", "expression": "false"})
    weak = named("allotment-isolation", "ValidatingAdmissionPolicyBinding")
    weak["spec"]["validationActions"] = ["Warn"]
    weak["spec"]["matchResources"] = {"namespaceSelector": {"matchLabels": {"a": "b"}}}
    for document in loose, weak:
        admin.overwrite(document)
    standing = admission.standing(portal, DOMAIN)
    assert standing.state is State.OLDER
    assert standing.names == ("policy allotment-objects", "binding allotment-isolation")
    type_in(install_them)
    assert admission.standing(portal, DOMAIN).state is State.OLDER, "to apply leaves what was added"
    type_in(standing.command)
    assert admission.standing(portal, DOMAIN).state is State.INSTALLED


def test_an_account_of_an_older_portal_cannot_tell_and_is_told_what_to_do(portal, admin, install, cluster_endpoint):
    install()
    old = ClusterClient(_older_account(cluster_endpoint, admin))
    assert old.get("Namespace", "older") is not None
    standing = admission.standing(old, DOMAIN)
    assert standing.state is State.UNKNOWN
    assert standing.command == "manage.py print_rbac --account-namespace=older | kubectl apply -f -"
    assert "apply deploy/rbac again" in standing.says
    assert admission.standing(portal, DOMAIN).state is State.INSTALLED


def _older_account(endpoint: ClusterEndpoint, admin: ClusterClient) -> Way:
    """An account with the rights from before the portal looked at the policies."""
    documents = list(rbac.documents("older"))
    assert documents
    for document in documents:
        if document["kind"] == "ClusterRole" and document["metadata"]["name"] != "allotment-portal":
            continue
        if document["kind"].startswith("ClusterRole"):
            document = document | {"metadata": {"name": "older-portal"}}
        if document["kind"] == "ClusterRole":
            rules = [each for each in document["rules"] if "admissionregistration.k8s.io" not in each["apiGroups"]]
            assert len(rules) == len(document["rules"]) - 1
            document["rules"] = rules
        if "roleRef" in document:
            document["roleRef"] = document["roleRef"] | {"name": "older-portal"}
        admin.apply(document)
    token = admin.create_token("portal", "older", seconds=3600).text
    way = Way(endpoint.admin.server, token, endpoint.admin.certificate_authority)
    client = ClusterClient(way)
    question = next(each for each in rbac.REQUIRED if (each.verb, each.resource) == ("get", "namespaces"))
    eventually(lambda: client.may_i(question).allowed, "the account's rights are known")
    return way


def test_the_portal_may_look_at_these_and_touch_none(raw, install):
    install()
    base = "/apis/admissionregistration.k8s.io/v1"
    for plural in ("validatingadmissionpolicies", "validatingadmissionpolicybindings"):
        assert raw("GET", f"{base}/{plural}/allotment-objects")[0] == 200
        assert raw("GET", f"{base}/{plural}/somebody-elses")[0] == 403
        assert raw("GET", f"{base}/{plural}")[0] == 403
        for method in ("DELETE", "PATCH"):
            status, _ = raw(method, f"{base}/{plural}/allotment-objects", {}, "application/merge-patch+json")
            assert status == 403, (method, plural)


def test_both_clusters_keep_a_policy_in_the_same_form(admin, install):
    install()
    found = admin.get("ValidatingAdmissionPolicy", "allotment-objects")
    assert found["metadata"]["generation"] == 1
    spec = named("allotment-objects")["spec"]
    rules = [rule | {"scope": "*"} for rule in spec["matchConstraints"]["resourceRules"]]
    added = {"matchPolicy": "Equivalent", "objectSelector": {}, "resourceRules": rules}
    assert found["spec"] == spec | {"matchConstraints": spec["matchConstraints"] | added}
    binding = named("allotment-objects", "ValidatingAdmissionPolicyBinding")
    assert admin.get(binding["kind"], "allotment-objects")["spec"] == binding["spec"]


# The hourly look


@pytest.fixture
def registered(db, settings) -> Callable[[Way], Cluster]:
    """Registers a cluster in the portal, reached this way."""
    settings.LABEL_DOMAIN = DOMAIN

    def register(way: Way) -> Cluster:
        reached = {key: getattr(way, key) for key in ("server", "credential", "certificate_authority")}
        return Cluster.objects.create(slug="here", name="Here", **reached)

    return register


def looked(row: Cluster) -> tuple[str, list[str], bool]:
    """What the next look finds: state, names, and whether that is less than there was."""
    policy_looks.look(row.pk)
    row.refresh_from_db()
    return row.admission_state, row.admission_names, row.is_unguarded


def test_the_next_look_sees_what_was_installed_deleted_and_edited(cluster_endpoint, registered, install, admin):
    row = registered(cluster_endpoint.portal)
    assert looked(row) == (State.MISSING, list(EVERYTHING), False)
    install()
    assert looked(row) == (State.INSTALLED, [], False)
    admin.delete("ValidatingAdmissionPolicyBinding", "allotment-objects")
    assert looked(row) == (State.MISSING, ["binding allotment-objects"], True)
    weak = named("allotment-isolation", "ValidatingAdmissionPolicyBinding")
    weak["spec"]["validationActions"] = ["Warn"]
    install(weak)
    assert looked(row) == (State.OLDER, ["binding allotment-isolation"], True)
    install()
    assert looked(row) == (State.INSTALLED, [], False)


def test_a_look_that_is_forbidden_cannot_tell_and_is_no_error(cluster_endpoint, registered, install, admin):
    install()
    row = registered(_older_account(cluster_endpoint, admin))
    assert looked(row) == (State.UNKNOWN, [], False)
    assert row.admission_command == "manage.py print_rbac --account-namespace=older | kubectl apply -f -"
    assert (row.check_error, row.admission_looked_at is None) == ("", False)


@pytest.mark.parametrize("start", [simulated, pytest.param(real, marks=pytest.mark.real_cluster)])
def test_a_look_in_vain_leaves_the_last_finding_with_its_time(start, registered):
    with start() as endpoint:
        row = registered(endpoint.portal)
        for document in admission.documents(label_domain=DOMAIN):
            endpoint.admin_client().apply(document)
        assert looked(row) == (State.INSTALLED, [], False)
        looked_at = row.admission_looked_at
    assert looked(row) == (State.INSTALLED, [], False)
    assert row.admission_looked_at == looked_at
