"""One run: services up, people at it, faults by the schedule, an end to the faults, and what is true then."""

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LEASE = 20  # seconds; the tasks' time limits are below it, a sixth of those in production
WORKERS = 3
RECOVERY = 180.0  # seconds within which everything has to be in order again


@dataclass
class Result:
    """What a run is reported with."""

    seed: int
    seconds: float
    environments: int
    cluster: str
    directory: str
    asks: dict[str, int]
    faults: dict[str, int]
    answers_spoilt: dict[str, int]
    violations: list[str]
    recovery: list[float] = field(default_factory=list)  # seconds after the last fault, one an environment
    slowest_ask: float = 0.0
    notes: list[str] = field(default_factory=list)


def main(arguments: dict[str, Any]) -> Result:
    """Carry out one run. `arguments`: seed, minutes, environments, simulated, directory, keep."""
    from tests.services import PostgreSQL, Redis

    with contextlib.ExitStack() as stack:
        folder = Path(arguments["keep"] or stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        database = PostgreSQL(folder / "postgres")
        stack.callback(database.close)
        broker = Redis(folder)
        broker.start()
        stack.callback(broker.process.stop, 9)
        _environment(folder, database.url, broker.url)
        import django

        django.setup()
        from tests.faults import session

        return session.Session(stack, folder, database, broker, arguments).run()


def _environment(folder: Path, database: str, broker: str) -> None:
    (folder / "mail").mkdir(exist_ok=True)
    (folder / "control").mkdir(exist_ok=True)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": database,
        "BROKER_URL": broker,
        "SECRET_KEY": "only-for-tests-" + "x" * 50,
        "LOCAL_ACCOUNTS": "false",
        "LEASE_SECONDS": str(LEASE),
        "SWEEP_SECONDS": "1",
        "OBSERVE_SECONDS": "4",
        "MAIL_FOLDER": str(folder / "mail"),
        "FAULTS_FOLDER": str(folder / "control"),
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent),
        "LOG_LEVEL": "INFO",
    }


def percentiles(values: list[float]) -> dict[str, float]:
    """The median, the 95th percentile and the most."""
    ordered = sorted(values) or [0.0]
    return {
        "p50": round(statistics.median(ordered), 1),
        "p95": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 1),
        "max": round(ordered[-1], 1),
    }


if __name__ == "__main__":
    start = time.monotonic()
    result = main(json.loads(sys.argv[1]))
    result.seconds = round(time.monotonic() - start, 1)
    Path(sys.argv[2]).write_text(json.dumps(asdict(result)))
