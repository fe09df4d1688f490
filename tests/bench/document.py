"""Put bench.json into docs: `python -m tests.bench.document` writes docs/benchmarks.json and its tables in
docs/benchmarks.md, between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

import json
import re
from pathlib import Path
from typing import Any

from tests.bench import tables

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE, FIGURES = DOCS / "benchmarks.md", DOCS / "benchmarks.json"


def rendered(text: str, report: dict[str, Any]) -> str:
    """The page with the tables of a report between its markers. What was not measured says so."""

    def between(match: re.Match[str]) -> str:
        name = match[1]
        if name == "machine":
            lines = tables.machine(report["machine"])
        elif name in report["sections"]:
            lines = tables.section(name, report)
        else:
            lines = ["Not measured yet."]
        return "\n".join([f"<!-- {name} -->", "", *lines, "", f"<!-- /{name} -->"])

    return re.sub(r"<!-- ([a-z]+) -->.*?<!-- /\1 -->", between, text, flags=re.DOTALL)


def main() -> None:
    report = json.loads(Path("bench.json").read_text())
    FIGURES.write_text(json.dumps(report, indent=1) + "\n")
    PAGE.write_text(rendered(PAGE.read_text(), report))


if __name__ == "__main__":
    main()
