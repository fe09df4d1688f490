"""What the queue may and may not do to the rest: a broker that says nothing, a beat that never lives for a day."""

import socket
import time

import pytest
from celery import Celery
from celery.beat import Service
from celery.schedules import crontab
from django.conf import settings
from django.db import connection
from kombu.exceptions import OperationalError

from portal import celery_app
from portal import settings as portal_settings


def test_a_broker_that_takes_connections_and_says_nothing_holds_up_no_request():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        waits = portal_settings._WAITS | {"socket_timeout": 0.2}
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        app = Celery("silent", broker=url, broker_transport_options=waits, set_as_current=False)
        with pytest.raises((OperationalError, OSError)):
            app.send_task("environments.sweep", retry=False)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # it was not tried a second time
            silent.accept()


def test_every_wait_for_the_broker_is_shorter_than_a_page_may_take():
    assert portal_settings._WAITS["socket_connect_timeout"] + portal_settings._WAITS["socket_timeout"] < 10


@pytest.mark.parametrize("name", sorted(settings.CELERY_BEAT_SCHEDULE))
def test_what_comes_seldom_comes_by_the_clock_however_often_beat_is_restarted(name):
    schedule = settings.CELERY_BEAT_SCHEDULE[name]["schedule"]
    assert isinstance(schedule, crontab) or schedule <= 3600


@pytest.mark.parametrize("name", ["sweep", "observe", "stranded"])
def test_what_comes_often_does_not_pile_up_while_the_workers_are_away(name):
    assert settings.CELERY_BEAT_SCHEDULE[name]["options"]["expires"] <= 300


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("age", "kept"), [(60, True), (-1, False)])
def test_a_worker_keeps_its_connection_to_the_database_from_task_to_task_as_the_web_does(monkeypatch, age, kept):
    closed: list[str] = []
    connection.ensure_connection()
    monkeypatch.setattr(connection, "close_at", time.monotonic() + age, raising=False)
    monkeypatch.setattr(connection, "close", lambda: closed.append("closed"))
    (fixup,) = celery_app._fixups
    fixup.worker_fixup.on_task_postrun(celery_app.tasks["environments.sweep"])
    assert (closed == []) is kept


def test_beat_shows_that_it_lives_and_leaves_no_file_that_the_next_could_trip_over(settings, tmp_path, monkeypatch):
    settings.ALIVE_FILE = str(tmp_path / "alive")
    monkeypatch.chdir(tmp_path)
    scheduler = Service(celery_app, scheduler_cls=celery_app.conf.beat_scheduler).get_scheduler()
    sent = []
    monkeypatch.setattr(scheduler, "apply_async", lambda entry, **_: sent.append(entry.name))
    assert 0 <= scheduler.tick() <= scheduler.max_interval
    assert set(scheduler.schedule) == set(settings.CELERY_BEAT_SCHEDULE)
    scheduler.close()
    assert [found.name for found in tmp_path.iterdir()] == ["alive"]
