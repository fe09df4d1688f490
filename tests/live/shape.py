"""The portal's processes as in production, each of which can be killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.services import ROOT, Process, Redis

PATIENCE = 120.0  # seconds


class Shape:
    """The services of production on loopback, and the portal's worker."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.redis = folder, Redis(folder)
        self.processes: dict[str, Process] = {}
        self.environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database,
            "BROKER_URL": self.redis.url,
            "SECRET_KEY": "only-for-tests-" + "x" * 50,
            "LOCAL_ACCOUNTS": "true",
            "LEASE_SECONDS": "2",
            "SWEEP_SECONDS": "0.5",
            "OBSERVE_SECONDS": "3600",
            "EMAIL_URL": "dummymail://",
            "PYTHONPATH": str(ROOT),
        }

    def start(self, name: str, *command: str) -> None:
        self.processes[name] = Process(list(command), self.folder / f"{name}.log", dict(self.environment))
        self.processes[name].start()

    def start_redis(self) -> None:
        self.redis.start()
        self.processes["redis"] = self.redis.process

    def start_worker(self) -> None:
        celery = [sys.executable, "-m", "celery", "-A", "portal", "worker", "-B"]
        self.start("worker", *celery, "--concurrency=2", "--loglevel=INFO")

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        self.processes.pop(name).stop(number)

    def drive(self, *arguments: str) -> dict:
        done = subprocess.run(
            [sys.executable, "-m", "tests.live.drive", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def wait_for(self, pk: str, phase: str) -> dict:
        deadline = time.monotonic() + PATIENCE
        while (seen := self.drive("look", pk))["phase"] != phase:
            assert time.monotonic() < deadline, seen
        return seen
