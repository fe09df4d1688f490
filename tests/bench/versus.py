"""The load bench of an earlier commit and of this one, in turn on the same machine, and the ratio of their medians.

    python -m tests.bench.versus --ref 9874da3 --rounds 3 --environments 1000

The earlier commit is checked out into a git worktree of its own and runs with this interpreter.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.services import ROOT

REF, ROUNDS, ENVIRONMENTS = "9874da3", 3, 1000
_PATIENCE = 1800  # seconds for a run
_FIGURES = ("environments a minute", "submit to Ready p50 s", "submit to Ready p95 s")
_SERVERS = ("etcd", "kube-apiserver", "kube-controller", "requests and readers", "requests")


def measure(folder: Path, ref: str = REF, rounds: int = ROUNDS, environments: int = ENVIRONMENTS) -> dict[str, Any]:
    """Medians of both builds with the spread of their runs, and this build's by the earlier one's."""
    runs: dict[str, list[dict[str, float]]] = {"earlier": [], "this": []}
    with _worktree(folder / "earlier", ref) as earlier:
        for _ in range(rounds):
            runs["earlier"].append(_figures(_run(earlier, environments)))
            runs["this"].append(_figures(_run(ROOT, environments)))
    names = [name for name in runs["this"][0] if name in runs["earlier"][0]]
    return {"earlier build": ref, "rounds": rounds, "environments": environments} | {
        name: _compared(*([run[name] for run in runs[build]] for build in ("earlier", "this"))) for name in names
    }


def _compared(earlier: list[float], this: list[float]) -> dict[str, Any]:
    before, now = statistics.median(earlier), statistics.median(this)
    return {
        "earlier": before,
        "this": now,
        "ratio": round(now / before, 2) if before else None,
        "earlier, spread": f"{min(earlier)}–{max(earlier)}",
        "this, spread": f"{min(this)}–{max(this)}",
    }


def _figures(report: dict[str, Any]) -> dict[str, float]:
    used = report["CPU ms an environment"]
    ours = {name: spent for name, spent in used.items() if name not in _SERVERS}
    worker = sum(megabytes for name, megabytes in report["memory MB"].items() if name.startswith("worker"))
    return (
        {name: report[name] for name in _FIGURES}
        | {f"CPU ms an environment: {name}": spent for name, spent in used.items()}
        | {"CPU ms an environment: all without API server and etcd": round(sum(ours.values()), 1)}
        | {"memory of the worker MB": worker}
    )


def _run(checkout: Path, environments: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.load", "--environments", str(environments)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    if done.returncode:
        raise RuntimeError(f"{checkout}: {done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@contextmanager
def _worktree(folder: Path, ref: str) -> Iterator[Path]:
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", str(folder), ref], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ref", default=REF)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--environments", type=int, default=ENVIRONMENTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-versus-") as folder:
        report = measure(Path(folder), options.ref, options.rounds, options.environments)
    sys.stdout.write(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
