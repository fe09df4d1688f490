"""gunicorn with two workers, a Celery worker with two children, Redis and PostgreSQL: one id from the request to the
last step, and metrics that are right whichever process answers."""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families

from portal.demo.ports import answers, free_port
from tests.live.shape import PATIENCE, Shape
from tests.services import REDIS

TOKEN = "only-for-tests-0123456789"
REQUEST_ID = "from-the-proxy-4711"

pytestmark = pytest.mark.skipif(not REDIS, reason="redis-server is not installed (Debian's package of that name)")


class Web:
    """The portal behind gunicorn, and a browser with Dana's session."""

    def __init__(self, shape: Shape, port: int, worker_port: int) -> None:
        self.shape, self.port, self.worker_port = shape, port, worker_port
        self.dana = shape.drive("sign_in")

    def ask(self, path: str, *, form: dict[str, str] | None = None, port: int = 0, **headers: str) -> tuple[int, str]:
        """Status and body."""
        csrf = "a" * 32
        body = urllib.parse.urlencode(form | {"csrfmiddlewaretoken": csrf}).encode() if form is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}", body)
        request.add_header("Cookie", f"portal_session={self.dana['cookie']}; portal_csrf={csrf}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def sample(self, name: str, *, port: int = 0, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        status, text = self.ask("/metrics", port=port, Authorization=f"Bearer {TOKEN}")
        assert status == 200
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def lines(self, part: str) -> list[dict]:
        """What a process logged, but for what servers print before logging begins."""
        text = (self.shape.folder / f"{part}.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith('{"time"')]


def wait_for[Found](look: Callable[[], Found]) -> Found:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


@pytest.fixture
def web(shape, tmp_path) -> Iterator[Web]:
    before = dict(shape.environment)
    port, worker_port = free_port(), free_port()
    shape.environment |= {
        "SECURE": "false",
        "COLLECTED_STATIC": "false",
        "TRUST_PROXY": "true",
        "LOG_FORMAT": "json",
        "METRICS_TOKEN": TOKEN,
    }
    dana = Web(shape, port, worker_port)
    shape.environment["METRICS_WORKER_PORT"] = str(worker_port)
    shape.environment["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path / "worker-metrics")
    shape.start_worker()
    shape.environment["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path / "web-metrics")
    gunicorn = [sys.executable, "-m", "gunicorn", "portal.wsgi", "--config=python:portal.gunicorn"]
    shape.start("web", *gunicorn, "--workers=2", "--no-control-socket", f"--bind=127.0.0.1:{port}")
    wait_for(lambda: answers(port) and answers(worker_port))
    yield dana
    shape.environment.clear()
    shape.environment.update(before)


def test_one_id_leads_from_the_request_through_the_queue_to_every_step(web, production_cluster):
    asked = web.shape.drive("ask", "observed")
    web.shape.wait_for(asked["id"], "Ready")
    production_cluster.faults.add(method="DELETE", path_regex="/namespaces/", status=503)
    form = {"typed_name": "observed"}
    status, _ = web.ask(f"/environments/{asked['namespace']}/delete/", form=form, X_Request_ID=REQUEST_ID)
    assert status == 200  # after the redirect
    web.shape.wait_for(asked["id"], "Deleted")
    request = wait_for(lambda: [line for line in web.lines("web") if line.get("request_id") == REQUEST_ID])
    assert {line["user"] for line in request} == {web.dana["user"]}
    mine = wait_for(lambda: [line for line in web.lines("worker") if line.get("request_id") == REQUEST_ID])
    assert {line["task"] for line in mine} <= {"environments.reconcile", "environments.deliver_notices"}
    assert {line["user"] for line in mine} == {web.dana["user"]}
    assert {line.get("environment") for line in mine} <= {None, asked["id"]}
    steps = [line for line in mine if "step" in line]
    assert {line["step"] for line in steps} >= {"Namespace"}, "what waits is said"
    assert {line["environment"] for line in steps} == {asked["id"]}
    assert {"celery.app.trace", "environments.reconcile.engine"} <= {line["logger"] for line in mine}
    assert any(line["logger"] == "gunicorn.error" for line in web.lines("web"))
    assert "dana@example.com" not in json.dumps(web.lines("web") + web.lines("worker"))


def test_any_process_answers_for_all_of_its_kind_and_for_those_that_ended(web, tmp_path):
    asked = 0.0
    with ThreadPoolExecutor(8) as threads:  # one process alone may take all of those that come one by one
        while len(list((tmp_path / "web-metrics").glob("histogram_*.db"))) < 2 and asked < 4000:
            assert {status for status, _ in threads.map(web.ask, ["/healthz"] * 40)} == {200}
            asked += 40
    assert len(list((tmp_path / "web-metrics").glob("histogram_*.db"))) >= 2, "two processes answered"
    assert {web.sample("portal_request_seconds_count", view="healthz") for _ in range(6)} == {asked}
    booted = sum("Booting worker" in line["message"] for line in web.lines("web"))
    os.kill(web.shape.processes["web"].pid, signal.SIGHUP)  # other workers take over
    wait_for(lambda: sum("Booting worker" in line["message"] for line in web.lines("web")) >= booted + 2)
    assert web.ask("/healthz")[0] == 200
    assert wait_for(lambda: web.sample("portal_request_seconds_count", view="healthz")) == asked + 1
    _look_at_the_worker(web)


def _look_at_the_worker(web: Web) -> None:
    """Its children's numbers, and nobody else's."""
    asked = web.shape.drive("ask", "measured")
    web.shape.wait_for(asked["id"], "Ready")
    worker = {"port": web.worker_port}
    assert web.ask("/metrics", **worker)[0] == 401
    assert web.sample("portal_reconcile_seconds_count", outcome="Ready", **worker) >= 1
    assert web.sample("portal_step_seconds_count", step="Quota", outcome="Done", **worker) >= 1
    assert web.sample("portal_call_seconds_count", target="cluster", **worker) >= 5
    assert web.sample("portal_task_seconds_count", task="environments.reconcile", outcome="success", **worker) >= 1
    assert web.sample("portal_environments", phase="Ready", **worker) == 0
    assert wait_for(lambda: web.sample("portal_environments", phase="Ready")) >= 1  # read anew every few seconds
    assert web.sample("portal_task_seconds_count", task="environments.reconcile") == 0
