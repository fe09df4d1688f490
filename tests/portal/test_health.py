"""Probes: what takes the portal out of service, what is only told, and what is told to nobody."""

import os
import shutil
import signal
import subprocess
import time
from datetime import timedelta
from subprocess import DEVNULL

import pytest
from django.db import DatabaseError
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from environments.lib import looks
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Event
from portal import figures, health
from portal.demo.ports import free_port

REDIS = shutil.which("redis-server")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh():
    """Nothing is remembered from another test."""
    figures.forget()
    health.forget()
    yield
    figures.forget()


def ready(client: Client) -> tuple[int, dict]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()


def test_a_portal_in_order_is_ready(client):
    assert ready(client) == (
        200,
        {"status": "ok", "database": "ok", "migrations": "ok", "broker": "ok", "degraded": []},
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_come_to_an_address_without_tls_and_without_a_session(settings, path, django_assert_max_num_queries):
    settings.ALLOWED_HOSTS = ["portal.example.com"]
    settings.SECURE_SSL_REDIRECT = True
    client = Client(headers={"host": "10.0.0.7:8000"})
    client.cookies["portal_session"] = "anything"
    with django_assert_max_num_queries(0 if path == "/healthz" else 8):
        assert client.get(path).status_code == 200
    assert client.get("/").status_code == 400
    assert client.post(path).status_code == 405


def test_without_its_database_it_is_alive_and_not_ready(client, monkeypatch):
    def refuse():
        raise DatabaseError("connection to postgres.internal refused")

    monkeypatch.setattr(health.connection, "cursor", refuse)
    assert client.get("/healthz").status_code == 200
    status, answer = ready(client)
    assert (status, answer["status"], answer["database"]) == (503, "unready", "not answering")
    assert "postgres.internal" not in str(answer)


def test_a_migration_that_is_missing_makes_it_unready_until_it_is_applied(client):
    row = MigrationRecorder.Migration.objects.filter(app="environments").latest("id")
    row.delete()
    status, answer = ready(client)
    assert (status, answer["status"], answer["migrations"]) == (503, "unready", "missing")
    MigrationRecorder.Migration.objects.create(app=row.app, name=row.name)
    assert ready(client)[0] == 200


@pytest.mark.parametrize("url", ["redis://:hunter2@127.0.0.1:{port}/0", "amqp://portal:hunter2@127.0.0.1:{port}//"])
def test_a_broker_that_is_away_is_told_and_takes_nothing_out_of_service(client, settings, url):
    settings.CELERY_BROKER_URL = url.format(port=free_port())
    status, answer = ready(client)
    assert (status, answer["status"], answer["broker"]) == (200, "degraded", "not answering")
    assert answer["degraded"] == ["broker: not answering"]
    assert "hunter2" not in str(answer)


@pytest.mark.skipif(REDIS is None, reason="redis-server is not installed (Debian's package of that name)")
def test_a_broker_that_was_stopped_in_the_middle_keeps_no_probe_waiting(client, settings):
    port = free_port()
    with subprocess.Popen(
        [str(REDIS), "--port", str(port), "--save", "", "--bind", "127.0.0.1"], stdout=DEVNULL
    ) as redis:
        try:
            settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{port}/0"
            deadline = time.monotonic() + 20
            while ready(client)[1]["broker"] != "ok":
                assert time.monotonic() < deadline
            os.kill(redis.pid, signal.SIGSTOP)
            assert ready(client)[1]["broker"] == "not answering"
        finally:
            redis.kill()


def test_a_cluster_that_does_not_answer_is_told_by_its_name_only(client, make_environment, cluster):
    make_environment()
    long_ago = timezone.now() - timedelta(hours=1)
    Cluster.objects.filter(pk=cluster.pk).update(observed_at=long_ago, check_error="https://10.1.2.3:6443 refused")
    status, answer = ready(client)
    assert (status, answer["status"]) == (200, "degraded")
    assert answer["degraded"] == ["cluster amsterdam: not answering"]
    assert "10.1.2.3" not in str(answer)


def test_a_cluster_that_nobody_reads_is_told(client, make_environment, cluster):
    make_environment()
    Cluster.objects.filter(pk=cluster.pk).update(observed_at=timezone.now() - timedelta(hours=1))
    assert ready(client)[1]["degraded"] == ["cluster amsterdam: not read for a while"]


def test_a_cluster_that_was_just_read_or_holds_nothing_is_not_told(client, make_environment, cluster):
    assert ready(client)[1]["degraded"] == []
    make_environment()
    Cluster.objects.filter(pk=cluster.pk).update(observed_at=timezone.now(), check_error="One kind was refused.")
    figures.forget()
    assert ready(client)[1]["degraded"] == []


def test_a_kind_that_cannot_be_read_is_told_by_its_name_only(client, make_environment, cluster):
    make_environment()
    now = timezone.now()
    stored = looks.after({}, {"Deployment": now - timedelta(hours=1), "Service": now}, {}, now)
    stored = looks.after(stored, {"Service": now}, {"Deployment": "https://10.1.2.3 is too large"}, now)
    Cluster.objects.filter(pk=cluster.pk).update(observed_at=now, kind_looks=stored)
    assert ready(client)[1]["degraded"] == ["cluster amsterdam: not read in full (Deployments)"]


def test_work_that_nobody_comes_to_is_told(client, make_environment):
    environment = make_environment(phase=Phase.PROVISIONING)
    assert ready(client)[1]["degraded"] == []
    Environment.objects.filter(pk=environment.pk).update(created_at=timezone.now() - timedelta(minutes=5))
    figures.forget()
    assert ready(client)[1]["degraded"] == ["queue: work is waiting, worker or beat may be silent"]


def test_mail_that_does_not_go_out_is_told(client, make_environment):
    Event.objects.create(
        environment=make_environment(),
        kind=Activity.READY,
        message="Ready.",
        notice_owed=True,
        at=timezone.now() - timedelta(hours=1),
    )
    assert ready(client)[1]["degraded"] == ["mail: messages are waiting"]
