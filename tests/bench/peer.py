"""ColdFront's list and page of ten thousand allocations, next to ours of ten thousand environments, in one run.

ColdFront wants another Django, so it lives in a virtual environment of its own, which is made once: .state/bench-peer.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.databases import Databases, databases, run

SIZE = 10_000
_DAYS = 2  # of usage: neither page reads more
_ROOT = Path(__file__).resolve().parent.parent.parent
_LOCK, _HOME = _ROOT / "requirements" / "bench-peer.txt", _ROOT / ".state" / "bench-peer"


def measure(folder: Path, size: int = SIZE) -> dict[str, Any]:
    """Both products' list and page on each kind of database, as admin and as somebody with a few of their own."""
    python, rows = _python(), []
    with databases(folder) as room:
        for kind in ("sqlite", "postgresql"):
            theirs = _theirs(python, room, kind, folder, size)
            rows += [{"product": "ColdFront", "database": kind, **row} for row in theirs["rows"]]
            rows += [{"product": "Allotment", "database": kind, **row} for row in _ours(room, kind, folder, size)]
    return {"size": size, "coldfront": theirs["versions"], "debug": theirs["debug"], "rows": rows}


def _python() -> Path:
    """The interpreter of ColdFront's environment, made anew when its lock changes."""
    stamp, wanted = _HOME / "installed", hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    python = _HOME / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_HOME)], check=True)
        install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*install, "--require-hashes", "-r", str(_LOCK)], check=True)
        stamp.write_text(wanted)
    return python


def _theirs(python: Path, room: Databases, kind: str, folder: Path, size: int) -> dict[str, Any]:
    """ColdFront with its own settings: DEBUG off, sessions in the database, 25 rows a page."""
    out, name = folder / f"peer-{kind}.json", f"coldfront_{os.getpid()}"
    environment = {
        "PATH": os.environ["PATH"],
        "DB_URL": room.url(kind, name).replace("postgres://", "psql://"),
        "SECRET_KEY": "only-for-the-bench-" + "x" * 50,
        "PYTHONWARNINGS": "ignore",
    }
    script = Path(__file__).with_name("peer_visits.py")
    subprocess.run(
        [str(python), str(script), str(out), str(size)],
        env=environment,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    report: dict[str, Any] = json.loads(out.read_text())
    return report


def _ours(room: Databases, kind: str, folder: Path, size: int) -> list[dict[str, Any]]:
    out = folder / f"ours-{kind}.json"
    run("tests.bench.visits", str(out), "list,environment", url=room.filled(kind, size, _DAYS))
    pages = {"environments": "list", "environment": "page"}
    roles = {"admin": "admin", "developer": "user"}
    rows = json.loads(out.read_text())["rows"]
    return [
        row | {"page": pages[row["page"]], "role": roles[row["role"]]}
        for row in rows
        if row["page"] in pages and row["role"] in roles
    ]
