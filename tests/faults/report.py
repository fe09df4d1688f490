"""What the runs found, in words: printed, written as JSON, and put between the marks of docs/faults.md."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.run import percentiles

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- figures: written by make faults -->", "<!-- end of figures -->"

Results = list[dict[str, Any]]


def text(results: Results) -> str:
    """The report in Markdown."""
    return "\n".join([*_runs(results), "", *_faults(results), "", *_violations(results)]) + "\n"


def write(results: Results) -> None:
    """faults.json for machines, docs/faults.md for people."""
    (ROOT / "faults.json").write_text(json.dumps(results, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text(results)}\n{END}{rest.partition(END)[2]}")


def _runs(results: Results) -> list[str]:
    head = ("seed", "cluster", "directory", "environments", "asks", "faults", "answers spoilt", "violations")
    lines = [_row((*head, "recovery p50 / p95 / max", "slowest ask")), _row(["---"] * (len(head) + 2))]
    for one in results:
        times = percentiles(one["recovery"])
        cells = [one["seed"], one["cluster"], one["directory"], one["environments"], sum(one["asks"].values())]
        cells += [sum(one["faults"].values()), sum(one["answers_spoilt"].values()), len(one["violations"])]
        lines.append(_row([*cells, f"{times['p50']} / {times['p95']} / {times['max']} s", f"{one['slowest_ask']} s"]))
    return lines


def _faults(results: Results) -> list[str]:
    faults, spoilt = Counter[str](), Counter[str]()
    for one in results:
        faults.update(one["faults"])
        spoilt.update(one["answers_spoilt"])
    rows = [_row((kind, count, "")) for kind, count in sorted(faults.items()) if " answers " not in kind]
    rows += [
        _row((kind, count, spoilt[kind.replace(" answers", "")]))
        for kind, count in sorted(faults.items())
        if " answers " in kind
    ]
    return [_row(("fault", "times", "answers spoilt")), _row(("---", "---:", "---:")), *rows]


def _violations(results: Results) -> list[str]:
    lines = [f"- seed {one['seed']}: {line}" for one in results for line in one["violations"]]
    return ["Violations:", "", *lines] if lines else ["Violations: none."]


def _row(cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"
