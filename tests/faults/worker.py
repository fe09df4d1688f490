"""The portal's worker with a switch in it: `celery -A tests.faults.worker worker`. No line of the product is changed.

Every call to a cluster or a directory first asks the folder `FAULTS_FOLDER` whether this worker is to die here, before
the call or after it; and the worker's clock goes wrong by what a file there says. Waiting times that are minutes in
production are seconds here, or a run would be hours.
"""

import contextlib
import functools
import json
import os
import re
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery.signals import worker_init

from portal.celery import app

FOLDER = Path(os.environ.get("FAULTS_FOLDER", "."))
NAME = os.environ.get("FAULTS_WORKER", "worker")
LEASE = float(os.environ.get("LEASE_SECONDS", "20"))

app.conf.task_soft_time_limit, app.conf.task_time_limit = LEASE - 5, LEASE - 2


@worker_init.connect
def arm(**_: Any) -> None:
    """Once Django is set up, and before the pool is forked."""
    hurry()
    _wrap_calls()
    _wrap_clock()


def hurry() -> None:
    """Seconds where production has minutes. Nothing else than waiting times."""
    from django.conf import settings

    from environments import kube
    from environments.directory import transport
    from environments.reconcile import engine as reconcile
    from environments.reconcile import lease as lifecycle
    from environments.reconcile.steps import binding, members

    kube.ClusterClient.__init__.__kwdefaults__["timeout"] = (1.0, 3.0)  # type: ignore[index]
    transport.TIMEOUT = transport.httpx.Timeout(3, connect=1)
    settings.RESYNC_SECONDS = 15.0
    reconcile.LAST_DELAY = 8.0
    members.LOOK_AGAIN, lifecycle.REMEMBERED = 2 * LEASE, timedelta(seconds=1.8 * LEASE)
    binding.YOUNG = timedelta(seconds=LEASE)
    reconcile.FAILED_LOOK = reconcile.SECOND_LOOK = 8.0


def _wrap_calls() -> None:
    from environments import kube
    from environments.directory import transport

    request, send = kube.ClusterClient._call, transport.send

    @functools.wraps(request)
    def counted_request(self: Any, method: str, path: str, **more: Any) -> Any:
        return _around(f"cluster {method} {path}", lambda: request(self, method, path, **more))

    @functools.wraps(send)
    def counted_send(client: Any, method: str, url: str, **more: Any) -> Any:
        spot = f"directory {method} {urlsplit(url).path}"
        return _around(spot, lambda: send(client, method, url, **more))

    kube.ClusterClient._call = counted_request  # type: ignore[method-assign]
    transport.send = counted_send


def _around(spot: str, call: Callable[[], Any]) -> Any:
    strike(spot, "before")
    result = call()
    strike(spot, "after")
    return result


def strike(spot: str, when: str) -> None:
    """Die here if an order says so. Each order is carried out once, by the first who can rename it."""
    for order in FOLDER.glob("*.order"):
        with contextlib.suppress(OSError, ValueError):
            wanted = json.loads(order.read_text())
            if wanted["when"] == when and re.search(wanted["spot"], spot):
                order.rename(order.with_suffix(".done"))
                if wanted["whole"]:
                    os.killpg(os.getpgid(0), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)


def _wrap_clock() -> None:
    from django.utils import timezone

    now, file = timezone.now, FOLDER / f"{NAME}.clock"
    known: list[float] = [0.0, 0.0]  # when it was read, by how many seconds the clock is wrong

    def wrong_now() -> Any:
        if time.monotonic() - known[0] > 0.1:
            known[:] = [time.monotonic(), float(file.read_text() or 0) if file.exists() else 0.0]
        return now() + timedelta(seconds=known[1])

    timezone.now = wrong_now
