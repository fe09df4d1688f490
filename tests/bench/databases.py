"""Databases for the bench: a PostgreSQL server as its wheel comes, SQLite files, and the company's year in them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.services import PostgreSQL

#: While a database is filled; as it comes again before anything is measured.
_HASTE = ("fsync = off", "full_page_writes = off", "max_wal_size = '8GB'", "checkpoint_timeout = '1h'")


@dataclass
class Databases:
    """Where a section's databases are. With BENCH_DATA in the environment they stay there for the next run."""

    folder: Path
    server: PostgreSQL
    seconds: dict[str, float] = field(default_factory=dict)  # how long each took to fill

    def url(self, kind: str, name: str) -> str:
        """The address of a database, empty unless it is kept from an earlier run."""
        if kind == "sqlite":
            return f"sqlite:///{self.folder / name}.sqlite3"
        return self.server.database(name)

    def filled(self, kind: str, environments: int, days: int) -> str:
        """The address of a database with a company's year, made now unless it is there."""
        name = f"company_{environments}_{days}"
        url, stamp = self.url(kind, name), self.folder / f"{kind}-{name}.filled"
        if not stamp.exists():
            start = time.monotonic()
            with self._haste(kind):
                run("tests.bench.generator", "--environments", str(environments), "--days", str(days), url=url)
            stamp.write_text(f"{time.monotonic() - start:.0f}")
        self.seconds[f"{kind}, {environments}"] = float(stamp.read_text())
        run("django", "migrate", "--verbosity=0", url=url)
        return url

    @contextmanager
    def _haste(self, kind: str) -> Iterator[None]:
        if kind == "sqlite":
            yield
            return
        for setting in _HASTE:
            self.server.psql(f"ALTER SYSTEM SET {setting}")
        self.server.psql("SELECT pg_reload_conf()")
        yield
        self.server.psql("ALTER SYSTEM RESET ALL")
        self.server.psql("SELECT pg_reload_conf()")
        self.server.psql("CHECKPOINT")


@contextmanager
def databases(folder: Path) -> Iterator[Databases]:
    """A PostgreSQL server and room for SQLite files, gone at the end unless BENCH_DATA says where they stay."""
    kept = os.environ.get("BENCH_DATA")
    place = Path(kept).resolve() if kept else folder
    with PostgreSQL(place / "postgres", keep=bool(kept)) as server:
        yield Databases(place, server)


def run(module: str, *arguments: str, url: str) -> None:
    """A Python module in a process of its own, on a database. Raises RuntimeError with its last words."""
    environment = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings", "LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)}:\n{done.stderr[-2000:]}")
