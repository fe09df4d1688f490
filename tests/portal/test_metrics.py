"""What Prometheus gets: who may ask, what is counted, in how many series, and what the database is asked for it."""

from datetime import timedelta
from io import BytesIO
from wsgiref.util import setup_testing_defaults

import pytest
from django.core import mail
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from environments import tasks
from environments.lib import looks
from environments.lib import metrics as counted
from environments.lib.activity import Activity
from environments.lib.errors import PermanentError, TemporaryError
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Event, Letter
from environments.reconcile import engine as reconcile
from environments.reconcile import lease as lifecycle
from portal import figures, metrics, smtp
from portal.demo.ports import free_port
from tests.arranging import settle

TOKEN = "only-for-tests-0123456789"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def token(settings):
    settings.METRICS_TOKEN = TOKEN
    figures.forget()
    yield TOKEN
    figures.forget()


def scrape(client: Client) -> dict[tuple[str, frozenset], float]:
    """Every sample by name and labels."""
    answer = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Grown:
    """How much a sample grew in the block."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels

    def __enter__(self) -> "Grown":
        self._before = value(self._name, **self._labels)
        return self

    def __exit__(self, *_: object) -> None:
        self.by = value(self._name, **self._labels) - self._before


# Who may ask


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        ("", 401),
        (TOKEN, 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer ", 401),
        ("Bearer ünïcödé", 401),
    ],
)
def test_only_who_has_the_token_reads_metrics(client, authorization, status):
    answer = client.get("/metrics", headers={"authorization": authorization})
    assert answer.status_code == status
    assert (b"portal_" in answer.content) is (status == 200)


def test_without_a_token_of_its_own_there_are_no_metrics_for_anybody(client, settings, ada):
    settings.METRICS_TOKEN = ""
    client.force_login(ada)
    for authorization in ("", "Bearer ", f"Bearer {TOKEN}"):
        assert client.get("/metrics", headers={"authorization": authorization}).status_code == 404


def test_being_signed_in_is_no_token(client, ada):
    client.force_login(ada)
    assert client.get("/metrics").status_code == 401


def ask_worker(path: str, **more: str) -> tuple[str, bytes]:
    environ: dict = {"PATH_INFO": path, "wsgi.input": BytesIO()} | more
    setup_testing_defaults(environ)
    said: list[str] = []
    body = b"".join(metrics.worker_page(environ, lambda status, _: said.append(status)))
    return said[0], body


def test_a_workers_port_asks_for_the_same_token():
    assert ask_worker("/metrics")[0] == "401 Unauthorized"
    assert ask_worker("/metrics", HTTP_AUTHORIZATION="Bearer no")[0] == "401 Unauthorized"
    assert ask_worker("/", HTTP_AUTHORIZATION=f"Bearer {TOKEN}")[0] == "404 Not Found"
    assert ask_worker("/metrics", HTTP_AUTHORIZATION=f"Bearer {TOKEN}", REQUEST_METHOD="POST")[0] == "404 Not Found"
    status, body = ask_worker("/metrics", HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
    assert status == "200 OK"
    assert b"portal_task_seconds" in body
    assert b"portal_environments" not in body, "what the database knows is asked once, of the web"


# What is counted


def test_requests_are_counted_by_view_and_never_by_address(client, make_environment, dana):
    environments = [make_environment(name=f"Environment {number}") for number in range(3)]
    client.force_login(dana)
    labels = {"view": "environment", "method": "GET", "status": "200"}
    with Grown("portal_request_seconds_count", **labels) as grown:
        for environment in environments:
            assert client.get(f"/environments/{environment.namespace}/").status_code == 200
    assert grown.by == 3
    assert not [key for key in scrape(client) if environments[0].namespace in str(key)]


def test_nobody_makes_new_series_with_addresses_and_methods_of_their_own(client):
    client.get("/nowhere")
    client.generic("BREW", "/nowhere")
    scrape(client)  # itself a request that is counted
    before = len(scrape(client))
    for number in range(20):
        client.generic(f"BREW{number}", f"/nowhere/{number}")
    assert len(scrape(client)) == before


def test_tasks_are_counted_by_name_and_outcome(client, monkeypatch):
    with Grown("portal_task_seconds_count", task="environments.sweep", outcome="success") as grown:
        tasks.sweep.apply()
    assert grown.by == 1

    def break_down(_: object, **more: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(tasks, "reconcile_now", break_down)
    with Grown("portal_task_seconds_count", task="environments.reconcile", outcome="failure") as grown:
        tasks.reconcile.apply(["0"])
    assert grown.by == 1


def test_reconciles_steps_and_calls_are_counted(ask, simulated):
    environment = ask()
    with (
        Grown("portal_reconcile_seconds_count", outcome="Ready") as ready,
        Grown("portal_reconcile_seconds_count", outcome="Provisioning") as once_more,
        Grown("portal_step_seconds_count", step="Quota", outcome="Waiting") as waited,
        Grown("portal_step_seconds_count", step="Quota", outcome="Done") as done,
        Grown("portal_call_errors_total", target="cluster", kind="ServiceUnavailable") as errors,
        Grown("portal_call_seconds_count", target="cluster") as calls,
    ):
        simulated.faults.add(method="PATCH", path_regex="/resourcequotas/", status=503)
        assert settle(environment).phase == Phase.READY
    assert (ready.by, waited.by, errors.by) == (1, 1, 1)
    assert once_more.by >= 1
    assert done.by >= 1
    assert calls.by > 5


def test_a_reconcile_that_breaks_or_loses_its_lease_is_counted(ask, monkeypatch):
    environment = ask()

    def break_down(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(lifecycle, "record", break_down)
    with Grown("portal_reconcile_seconds_count", outcome="Error") as grown, pytest.raises(RuntimeError):
        reconcile.reconcile(environment.pk)
    assert grown.by == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TemporaryError("", reason="Timeout"), "Timeout"),
        (PermanentError("", reason="ReasonOfAHostileServer-8271"), "Other"),
        (KeyError("what"), "Other"),
    ],
)
def test_errors_of_a_call_are_counted_by_a_kind_of_ours(error, kind):
    @counted.called("directory")
    def call() -> None:
        raise error

    with Grown("portal_call_errors_total", target="directory", kind=kind) as grown, pytest.raises(type(error)):
        call()
    assert grown.by == 1


def test_that_something_is_not_there_is_no_error():
    @counted.called("cluster")
    def call() -> None:
        raise PermanentError("", reason="NotFound")

    with Grown("portal_call_errors_total", target="cluster", kind="Other") as grown, pytest.raises(PermanentError):
        call()
    assert grown.by == 0


def test_mail_that_a_server_does_not_take_is_counted():
    backend = smtp.EmailBackend(alias="default", host="127.0.0.1", port=free_port(), timeout=1)
    message = mail.EmailMessage("Subject", "Body", to=["dana@example.com"])
    with Grown("portal_mails_total", outcome="failed") as grown, pytest.raises(OSError, match="refused"):
        backend.send_messages([message])
    assert grown.by == 1


# What the database knows


def test_gauges_say_where_environments_stand_and_what_waits(client, make_environment, cluster):
    make_environment()
    make_environment(name="Second")
    owed = make_environment(phase=Phase.PROVISIONING, name="Third")
    now = timezone.now()
    Environment.objects.filter(pk=owed.pk).update(created_at=now - timedelta(minutes=4))
    Cluster.objects.filter(pk=cluster.pk).update(observed_at=now - timedelta(minutes=2))
    event = Event.objects.create(
        environment=owed, kind=Activity.READY, message="", notice_owed=True, at=now - timedelta(minutes=3)
    )
    for minutes, sent_at in ((-1, None), (2, None), (9, now)):  # not due yet, due, sent
        address = f"{minutes}@example.com"
        due_at = now - timedelta(minutes=minutes)
        Letter.objects.create(event=event, address=address, due_at=due_at, sent_at=sent_at)
    found = scrape(client)
    none: frozenset = frozenset()
    assert found["portal_database_up", none] == 1
    assert found["portal_environments", frozenset({("phase", "Ready")})] == 2
    assert found["portal_environments", frozenset({("phase", "Provisioning")})] == 1
    assert found["portal_environments", frozenset({("phase", "Failed")})] == 0
    assert found["portal_owed", none] == 1
    assert found["portal_owed_age_seconds", none] == pytest.approx(240, abs=30)
    assert found["portal_mails_owed", none] == 2
    assert found["portal_mails_owed_age_seconds", none] == pytest.approx(180, abs=30)
    assert found["portal_collector_lag_seconds", frozenset({("cluster", "amsterdam")})] == pytest.approx(120, abs=30)


def test_the_age_of_each_kind_s_last_complete_look_is_a_gauge_and_no_kind_is_made_up(client, make_environment):
    make_environment()
    now = timezone.now()
    seen = {"Deployment": now - timedelta(hours=1), "Invented": now}
    stored = looks.after(looks.after({}, seen, {}, now), {}, {"Deployment": "Too big.", "Invented": "Too."}, now)
    Cluster.objects.update(kind_looks=stored)
    found = scrape(client)
    ages = {dict(labels)["kind"]: age for (name, labels), age in found.items() if name == LOOK_AGE}
    assert ages == {"Deployment": pytest.approx(3600, abs=30)}


LOOK_AGE = "portal_cluster_look_age_seconds"


def test_what_is_owed_since_a_change_or_a_next_try_counts_from_there(make_environment):
    now = timezone.now()
    changed = make_environment()
    Environment.objects.filter(pk=changed.pk).update(generation=5, created_at=now - timedelta(days=9))
    changed.events.update(at=now - timedelta(minutes=2))
    assert figures.read().owed_age == pytest.approx(120, abs=30)
    Environment.objects.filter(pk=changed.pk).update(
        observed_generation=5, next_reconcile_at=now - timedelta(minutes=6)
    )
    assert figures.read().owed_age == pytest.approx(360, abs=30)
    Environment.objects.filter(pk=changed.pk).update(next_reconcile_at=now + timedelta(minutes=6))
    assert (figures.read().owed, figures.read().owed_age) == (0, 0)


def test_a_scrape_costs_five_queries_and_the_next_one_none(client, make_environment, django_assert_num_queries):
    for number in range(5):
        make_environment(name=f"Environment {number}")
    with django_assert_num_queries(5):
        scrape(client)
    with django_assert_num_queries(0):
        scrape(client)


def test_without_a_database_the_counters_are_still_there(client, monkeypatch):
    def refuse() -> None:
        raise DatabaseError

    monkeypatch.setattr(figures, "read", refuse)
    client.get("/healthz")
    found = scrape(client)
    assert found["portal_database_up", frozenset()] == 0
    assert any(name == "portal_request_seconds_count" for name, _ in found)
    assert not any(name == "portal_environments" for name, _ in found)
