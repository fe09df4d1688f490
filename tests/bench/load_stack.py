"""The processes of the load bench, what they weigh, and readers who open pages meanwhile."""

import os
import re
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx

from portal.demo.ports import answers, free_port
from tests.services import ROOT, Process, wait_until

WORKERS, CONCURRENCY = 1, 4
_LINK = re.compile(r'href="(/environments/[a-z0-9-]+/)"')
_PAUSE = 1.0  # seconds between two pages of a reader


class Stack:
    """gunicorn, workers and beat with the settings of this process."""

    def __init__(self, folder: Path, workers: int = WORKERS) -> None:
        self._workers = workers
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
        celery, gunicorn = [sys.executable, "-m", "celery", "-A", "portal"], [sys.executable, "-m", "gunicorn"]
        worker = [*celery, "worker", f"--concurrency={CONCURRENCY}"]
        commands = {
            "web": [*gunicorn, "portal.wsgi", f"--bind=127.0.0.1:{self.port}", "--workers=2", "--threads=4"],
            **{f"worker {number}": [*worker, "-n", f"w{number}"] for number in range(workers)},
            "beat": [*celery, "beat", "--pidfile="],
        }
        self.processes = {
            name: Process(command, folder / f"{name}.log", environment) for name, command in commands.items()
        }

    def __enter__(self) -> Self:
        for process in self.processes.values():
            process.start()
        wait_until(lambda: answers(self.port), "gunicorn")
        wait_until(self._workers_answer, "workers")
        return self

    def _workers_answer(self) -> bool:
        """Whether all are there: to start is not what is measured."""
        from portal import celery_app

        return len(celery_app.control.ping(timeout=1.0)) == self._workers

    @contextmanager
    def another_worker(self, folder: Path) -> Iterator[None]:
        """One more, which is there once the block begins."""
        first = self.processes["worker 0"]
        process = Process([*first.command[:-1], "another"], folder / "another.log", first.environment)
        process.start()
        self._workers += 1
        try:
            wait_until(self._workers_answer, "the other worker")
            yield
        finally:
            process.stop()

    def __exit__(self, *details: object) -> None:
        for name, process in self.processes.items():
            if name != "redis":
                process.stop()

    def pids(self, others: dict[str, int]) -> dict[str, int]:
        """The first process of each service, with those that were started elsewhere."""
        return {name: process.pid for name, process in self.processes.items()} | others


def memory(pids: dict[str, int]) -> dict[str, int]:
    """MB of each service with its children: proportional set sizes, so that shared pages count once."""
    return {name: round(sum(map(_pss, _family(pid))) / 1024) for name, pid in pids.items()}


def cpu(pids: dict[str, int]) -> dict[str, float]:
    """Seconds of processor time that each service has had, its living and ended children included."""
    return {name: sum(map(_seconds, _family(pid))) for name, pid in pids.items()}


class Readers:
    """Two people who keep opening their list and an environment's page."""

    def __init__(self, url: str, cookies: list[dict[str, str]]) -> None:
        self._url, self._cookies = url, cookies
        self._times: dict[str, list[float]] = defaultdict(list)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(2)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def figures(self) -> dict[str, dict[str, float]]:
        """Milliseconds for each page."""
        return {
            page: {
                "p50 ms": round(statistics.median(times) * 1000),
                "p95 ms": round(sorted(times)[int(len(times) * 0.95)] * 1000),
                "pages": len(times),
            }
            for page, times in self._times.items()
        }

    def _read(self, number: int) -> None:
        with httpx.Client(base_url=self._url, timeout=60, cookies=self._cookies[number]) as client:
            while not self._over.is_set():
                self._open(client, "catalog", "/catalog/")
                page = self._open(client, "my environments", "/environments/")
                if found := _LINK.search(page):
                    self._open(client, "environment", found[1])

    def _open(self, client: httpx.Client, name: str, path: str) -> str:
        start = time.monotonic()
        answer = client.get(path)
        self._times[name].append(time.monotonic() - start)
        self._over.wait(_PAUSE)
        answer.raise_for_status()
        return answer.text


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(each) for each in children.read_text().split()] if children.exists() else []
    return [pid, *(each for child in found for each in _family(child))]


def _seconds(pid: int) -> float:
    """Own time, and that of children that have ended (proc_pid_stat(5), fields 14 to 17)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _pss(pid: int) -> int:
    """KiB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
