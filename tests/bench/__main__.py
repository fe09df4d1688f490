"""`make bench B=pages,peer`: measure, print tables, and write bench.json. Nothing fails for being slow.

Sections that were not asked for keep their figures in bench.json. `python -m tests.bench.document` puts it into docs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import machine, tables

SECTIONS = ("provisioning", "pages", "collecting", "peer", "load", "recovery", "versus")
REPORT = Path("bench.json")


def main() -> None:
    names = sys.argv[1].split(",") if len(sys.argv) > 1 and sys.argv[1] else list(SECTIONS)
    unknown = sorted(set(names) - set(SECTIONS))
    if unknown:
        sys.exit(f"There is no section {', '.join(unknown)}. There are {', '.join(SECTIONS)}.")
    report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    report = {"sections": report.get("sections", {})} | {"machine": machine.facts()}
    failed = []
    for name in names:
        section = _section(name)
        if section is None:
            failed.append(name)
            continue
        report["sections"][name] = section
        REPORT.write_text(json.dumps(report, indent=1) + "\n")
        sys.stdout.write("\n".join(["", f"## {name}", "", *tables.section(name, report), ""]) + "\n")
    if failed:
        sys.exit(f"Could not be measured: {', '.join(failed)}.")


def _section(name: str) -> dict[str, object] | None:
    """A section's result with its circumstances; None where it failed (it has said why)."""
    load, start = os.getloadavg()[0], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        if subprocess.run([sys.executable, "-m", "tests.bench.section", name, str(out)], check=False).returncode:
            return None
        result = json.loads(out.read_text())
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load_before": round(load, 1),
        "took_s": round(time.monotonic() - start),
        "result": result,
    }


if __name__ == "__main__":
    main()
