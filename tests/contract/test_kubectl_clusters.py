"""A member's first minutes with kubectl: the lines of the pages, and what people do next, on both kinds of clusters."""

import re
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.utils import timezone

from environments import actions
from environments.catalog.files import read
from environments.lib.phases import Phase, Role
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, User
from environments.routine import observe
from tests.arranging import settle
from tests.contract.arrange import ClusterEndpoint, Raw, eventually
from tests.templates import publish

pytestmark = pytest.mark.django_db
MERGE = "application/merge-patch+json"
APPLIED = """apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
      - {name: api, image: "example.com/api:VERSION"}
      - {name: side, image: "example.com/side:1"}
"""


@contextmanager
def nodes(endpoint: ClusterEndpoint, namespace: str):
    """Let pods run on the control plane, which has no nodes. The simulated cluster does so by itself."""
    over, raw = threading.Event(), Raw(endpoint.admin)
    path = f"/api/v1/namespaces/{namespace}/pods"

    def run_all() -> None:
        while not over.wait(0.1):
            for pod in raw("GET", path)[1].get("items", []):
                if pod["status"]["phase"] == "Pending":
                    ready = [{"type": "Ready", "status": "True"}]
                    status = {"status": {"phase": "Running", "conditions": ready}}
                    raw("PATCH", f"{path}/{pod['metadata']['name']}/status", status, MERGE)

    thread = threading.Thread(target=run_all, daemon=True)
    if endpoint.name == "real":
        thread.start()
    try:
        yield
    finally:
        over.set()
        if endpoint.name == "real":
            thread.join()
        raw.close()


@pytest.fixture
def cast():
    names = ("dana", "theo", "vera")
    return {name: User.objects.create(username=name, email=f"{name}@example.com") for name in names}


@pytest.fixture
def environment(kubectl_endpoint, cast):
    """Dana's environment, with a developer and a viewer."""
    row = Cluster.objects.create(
        slug="c",
        name="C",
        server=kubectl_endpoint.portal.server,
        credential=kubectl_endpoint.portal.credential,
        certificate_authority=kubectl_endpoint.portal.certificate_authority,
    )
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    draft = actions.Draft(
        version=publish(read(SEEDS / "namespace.yaml")),
        name="first minutes",
        cluster=row,
        parameters={"cpu": "2000m", "memory": "2048Mi"},
        collaborators={"theo@example.com": Role.DEVELOPER, "vera@example.com": Role.VIEWER},
    )
    made = settle(actions.request_environment(cast["dana"], draft))
    assert made.phase == Phase.READY
    with nodes(kubectl_endpoint, made.namespace):
        yield made
    kubectl_endpoint.admin_client().delete("Namespace", made.namespace)


@pytest.fixture
def sign_in(client, kubectl, environment, cast):
    """Download a file as a person; kubectl with it, which fails the test unless the code is as expected."""

    def download(name: str):
        client.force_login(cast[name])
        answer = client.post(f"/environments/{environment.namespace}/kubeconfig/token/", {"hours": "1"})
        assert answer.status_code == 200, answer.content
        file = kubectl.home / "Downloads" / f"{environment.namespace}.kubeconfig"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(answer.content)

        def run(line: str, *, code: int = 0, given: str = "") -> str:
            done = kubectl(*line.split(), file=file, given=given)
            assert done.returncode == code, (line, done.stdout, done.stderr)
            return done.stdout if code == 0 else done.stdout + done.stderr

        return run

    return download


def lines_of(client, address: str, selector: str) -> str:
    page = BeautifulSoup(client.get(address).content, "html.parser")
    return page.select_one(selector).get_text()


@pytest.mark.parametrize(("name", "verb"), [("dana", "create"), ("theo", "create"), ("vera", "get")])
def test_every_line_of_the_pages_works_as_it_stands_there(client, kubectl, environment, sign_in, name, verb):
    sign_in(name)
    address = f"/environments/{environment.namespace}/"
    alone = lines_of(client, f"{address}kubeconfig/", "#use-alone")
    assert f"kubectl auth can-i {verb} pods" in alone
    done = kubectl.shell(alone)
    assert (done.returncode, done.stdout, done.stderr) == (0, "yes\n", "")
    done = kubectl.shell(lines_of(client, f"{address}kubeconfig/", "#use-merged"))
    assert (done.returncode, done.stderr) == (0, "")
    test = lines_of(client, address, "#use-lines")
    done = kubectl.shell(test)
    assert (done.returncode, done.stdout, done.stderr) == (0, "yes\n", "")
    # Not `get all`: it asks for replication controllers too, which no role of a member has.
    a_week_ago = timezone.now() - timedelta(days=7)
    type(environment).objects.filter(pk=environment.pk).update(ready_at=a_week_ago)
    environment.members.update(added_at=a_week_ago)
    done = kubectl.shell(f"{test}\n{lines_of(client, address, '#use-look')}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("yes\n")
    done = kubectl.shell("kubectl get pods,events")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["dana", "theo"])
def test_who_may_deploy_deploys(environment, sign_in, name):
    run = sign_in(name)
    namespace = environment.namespace
    assert re.match(r"ATTRIBUTE +VALUE\nUsername +system:serviceaccount:allotment:member-", run("auth whoami"))
    assert run("create deployment web --image=example.com/web:1") == "deployment.apps/web created\n"
    assert "successfully rolled out" in run("rollout status deployment web --timeout=50s")
    assert re.search(r"^web +1/1 +1 +1 +\d+s +web +example.com/web:1 +app=web$", run("get deploy -o wide"), re.M)
    assert re.search(r"^pod/web-\w+-\w+ +\d/1 +Running +0 +\d+s$", run("get deployments,pods,services"), re.M)
    described = run("describe deployment web")
    assert "1 desired | 1 updated | 1 total | 1 available | 0 unavailable" in described
    assert "ScalingReplicaSet" in described
    assert "StrategyType:           RollingUpdate" in described
    assert run("scale deployment web --replicas=2") == "deployment.apps/web scaled\n"
    assert "successfully rolled out" in run("rollout status deployment web --timeout=50s")
    before = set(run("get pods -o name").split())
    assert len(before) == 2
    assert run("rollout restart deployment web") == "deployment.apps/web restarted\n"
    assert "successfully rolled out" in run("rollout status deployment web --timeout=50s")
    assert not before & set(eventually(lambda: run("get pods -o name"), "pods").split())
    assert re.search(r"Normal +ScalingReplicaSet +Deployment/web", run("events --for deployment/web"))
    assert re.search(r"Normal +SuccessfulCreate +replicaset/web-", run("get events"))
    assert run("rollout undo deployment web") == "deployment.apps/web rolled back\n"
    assert run("delete deployment web") == f'deployment.apps "web" deleted from {namespace} namespace\n'
    eventually(lambda: not run("get pods -o name"), "the pods go with their Deployment")
    assert run("get deployment web", code=1) == 'Error from server (NotFound): deployments.apps "web" not found\n'


def test_what_is_applied_is_changed_by_the_next_apply(kubectl, sign_in):
    run = sign_in("dana")

    def apply(text: str) -> str:
        return run("apply -f -", given=text)

    first = APPLIED.replace("VERSION", "1")
    assert apply(first) == "deployment.apps/api created\n"
    assert apply(first) == "deployment.apps/api unchanged\n"
    assert apply(APPLIED.replace("VERSION", "2")) == "deployment.apps/api configured\n"
    images = "get deployment api -o jsonpath={.spec.template.spec.containers[*].image}"
    assert run(images) == "example.com/api:2 example.com/side:1"
    assert apply("\n".join(first.splitlines()[:-1]) + "\n") == "deployment.apps/api configured\n"
    assert run(images) == "example.com/api:1"
    assert run("apply --server-side --force-conflicts -f -", given=APPLIED.replace("VERSION", "3")).endswith(
        "serverside-applied\n"
    )
    assert run(images) == "example.com/api:3 example.com/side:1"
    assert run("delete deployment api --wait=true").startswith('deployment.apps "api" deleted')


def test_a_viewer_looks_and_changes_nothing(environment, sign_in):
    sign_in("dana")("create deployment web --image=example.com/web:1")
    run = sign_in("vera")
    assert "web" in run("get deployments")
    assert "Name:" in run("describe deployment web")
    assert run("auth can-i get pods") == "yes\n"
    assert run("auth can-i create pods", code=1).splitlines()[0] == "no"
    assert "pods" in run("auth can-i --list")
    for line in ("create deployment x --image=x", "scale deployment web --replicas=3", "delete deployment web"):
        said = run(line, code=1)
        assert re.search(r'deployments.apps( "web")? is forbidden: User "system:serviceaccount:', said), said
        assert f'in the namespace "{environment.namespace}"' in said


def test_other_namespaces_stay_closed(sign_in):
    said = sign_in("dana")("get pods -n default", code=1)
    assert 'cannot list resource "pods" in API group "" in the namespace "default"' in said


def test_a_watch_tells_of_what_happens_meanwhile(kubectl, sign_in, environment, tmp_path):
    run = sign_in("dana")
    run("create configmap one --from-literal=a=1")
    seen: list[str] = []
    watching = threading.Thread(target=lambda: seen.append(run("get configmaps -w --request-timeout=6s")), daemon=True)
    watching.start()
    run("create configmap two --from-literal=a=1 --from-literal=b=2")
    run("delete configmap one")
    watching.join()
    lines = [re.split(r" +", line)[:2] for line in seen[0].splitlines()]
    assert lines[0] == ["NAME", "DATA"]
    assert ["one", "1"] in lines
    assert ["two", "2"] in lines


def test_the_dashboard_moves_with_kubectl(client, environment, sign_in, cast):
    run = sign_in("dana")
    run("create deployment web --image=example.com/web:1 --replicas=2")
    run("rollout status deployment web --timeout=50s")
    eventually(lambda: pods_counted(environment) == "2", "the quota counts the pods")
    address = f"/environments/{environment.namespace}/workloads/"
    assert "2 of 2 pods running" in client.get(address).content.decode()
    run("scale deployment web --replicas=1")
    eventually(lambda: pods_counted(environment) == "1", "the quota counts one pod less")
    eventually(lambda: "1 of 1 pod running" in client.get(address).content.decode(), "the page is read anew")


def pods_counted(environment) -> str:
    """How many pods the portal knows of, after a pass."""
    observe.observe(environment.cluster_id)
    environment.refresh_from_db()
    return environment.usage["pods"][0]
