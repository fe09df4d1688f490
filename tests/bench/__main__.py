"""`make bench`: from submit to Ready, next to the same objects applied by kubectl in the same run.

Figures depend on the machine; the ratios are what counts. Prints a table and writes bench.json.
"""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

RUNS = 20


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/bench.sqlite3"
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        os.environ["LOG_LEVEL"] = "ERROR"
        import django

        django.setup()
        from tests.bench import provisioning

        rows = provisioning.measure(Path(folder), RUNS)
    report = {name: _figures(times) for name, times in rows.items()}
    _table(report)
    Path("bench.json").write_text(json.dumps(report, indent=1) + "\n")


def _figures(times: list[float]) -> dict[str, float]:
    """Milliseconds: the median, the fastest and the slowest."""
    return {
        "median_ms": round(statistics.median(times) * 1000, 1),
        "min_ms": round(min(times) * 1000, 1),
        "max_ms": round(max(times) * 1000, 1),
        "runs": len(times),
    }


def _table(report: dict[str, dict[str, float]]) -> None:
    baseline = next(iter(report.values()))["median_ms"]
    sys.stdout.write(f"{'':44}{'median':>10}{'min':>10}{'max':>10}{'ratio':>8}\n")
    for name, row in report.items():
        cells = "".join(f"{row[key]:>8.1f}ms" for key in ("median_ms", "min_ms", "max_ms"))
        sys.stdout.write(f"{name:44}{cells}{row['median_ms'] / baseline:>8.2f}\n")


if __name__ == "__main__":
    main()
