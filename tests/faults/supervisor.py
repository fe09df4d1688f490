"""The portal's workers and beat as processes, kept alive."""

import signal
import sys
import threading
from pathlib import Path

from tests.services import Process


class Workers:
    """Celery workers and their beat. A worker that is gone is started again, as any supervisor does."""

    def __init__(self, folder: Path, environment: dict[str, str], count: int) -> None:
        self._folder, self._environment = folder, environment
        self._over, self._lock = threading.Event(), threading.Lock()
        self.workers = [self._worker(number) for number in range(count)]
        self.beat = self._process("beat", "-A", "portal", "beat", "--pidfile=")
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
