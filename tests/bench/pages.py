"""Every page on PostgreSQL and on SQLite, with a thousand and with ten thousand environments and a year of usage.

The generator fills four databases; each is visited in a process of its own (visits.py).
"""

import json
from pathlib import Path
from typing import Any

from tests.bench.databases import databases, run

KINDS = ("postgresql", "sqlite")
SIZES = (1_000, 10_000)
DAYS = 365


def measure(folder: Path, sizes: tuple[int, ...] = SIZES, days: int = DAYS) -> dict[str, Any]:
    """Of each database: time and queries of every page and role, and what is on disk."""
    found = []
    with databases(folder) as room:
        for kind in KINDS:
            for size in sizes:
                url, out = room.filled(kind, size, days), folder / f"{kind}-{size}.json"
                run("tests.bench.visits", str(out), url=url)
                found.append({"database": kind, "environments": size, **json.loads(out.read_text())})
        return {"days": days, "filled_in_s": room.seconds, "databases": found}
