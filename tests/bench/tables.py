"""Figures as Markdown tables: for the terminal and for docs/benchmarks.md. Pure."""

from collections.abc import Iterable
from typing import Any

Report = dict[str, Any]
_ROLES = ("developer", "manager", "admin")
#: Milliseconds at the median, by kind of page.
TARGETS = {"list": 50, "environment": 50, "report": 300}
_KINDS = {
    "list": "Lists",
    "environment": "An environment",
    "report": "Reports",
    "export": "Exports",
    "other": "Other pages",
    "admin": "Django admin",
}
_DATABASES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def section(name: str, report: Report) -> list[str]:
    """The lines of one section, with when and how it was measured."""
    found = report["sections"][name]
    says = f"Measured {found['measured']} in {found['took_s']:,} s; load average before it: {found['load_before']}."
    return [says, "", *_RENDER.get(name, _plain)(found["result"])]


def machine(facts: dict[str, Any]) -> list[str]:
    """What the figures were taken on, in a sentence."""
    versions = f"Python {facts['python']}, Django {facts['django']}, PostgreSQL {facts['postgresql']}"
    return [
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB of memory, {facts['system']}; "
        f"{versions} as its wheel comes, SQLite {facts['sqlite']}."
    ]


def table(head: Iterable[str], rows: Iterable[Iterable[object]], words: int = 1) -> list[str]:
    """A table whose first columns are words and whose others are figures."""
    heads = list(head)
    lines = [heads, ["---"] * words + ["---:"] * (len(heads) - words), *(list(map(str, row)) for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _times(result: Report) -> list[str]:
    baseline = next(iter(result.values()))["median_ms"]
    head = ("", "median ms", "fastest", "slowest", "to the first line")
    rows = [
        (name, row["median_ms"], row["min_ms"], row["max_ms"], f"{row['median_ms'] / baseline:.2f}")
        for name, row in result.items()
    ]
    return table(head, rows)


def _collecting(result: Report) -> list[str]:
    head = ("", "median s", "fastest", "slowest", "peak MB", "calls", "MB read", "objects", "to the bare client")
    keys = ("median_s", "min_s", "max_s", "peak_mb", "calls", "megabytes", "objects", "ratio")
    return table(head, [(name, *(row[key] for key in keys)) for name, row in result.items()])


def _pages(result: Report) -> list[str]:
    lines: list[str] = []
    for kind in dict.fromkeys(each["database"] for each in result["databases"]):
        small, *_, large = sorted(
            (each for each in result["databases"] if each["database"] == kind), key=lambda each: each["environments"]
        )
        lines += [f"### {_DATABASES[kind]}, {large['environments']:,} environments", ""]
        lines += [*_pages_of(small, large), ""]
    lines += ["### On disk", "", *_disk(result), ""]
    filled = ", ".join(f"{name}: {seconds:,.0f} s" for name, seconds in result["filled_in_s"].items())
    return [*lines, f"Filling took: {filled}."]


def _pages_of(small: Report, large: Report) -> list[str]:
    """One line a page: the median of each role in milliseconds (and the 95th percentile), and queries at both sizes."""
    before = {(row["page"], row["role"]): row for row in small["rows"]}
    pages: dict[tuple[str, str], dict[str, Report]] = {}
    for row in large["rows"]:
        pages.setdefault((row["kind"], row["page"]), {})[row["role"]] = row
    lines = []
    for kind, words in _KINDS.items():
        target = f" (target {TARGETS[kind]} ms)" if kind in TARGETS else ""
        chosen = [(page, rows) for (its_kind, page), rows in pages.items() if its_kind == kind]
        if chosen:
            head = (f"{words}{target}", *_ROLES, f"queries at {small['environments']:,}", f"{large['environments']:,}")
            lines += table(head, [_page(kind, page, rows, before) for page, rows in chosen])
            lines.append("")
    return lines[:-1]


def _page(kind: str, page: str, rows: dict[str, Report], before: dict[tuple[str, str], Report]) -> list[str]:
    cells = [_cell(kind, rows.get(role)) for role in _ROLES]
    earlier = [before[page, role]["queries"] for role in rows if (page, role) in before]
    return [page, *cells, _span(earlier), _span([row["queries"] for row in rows.values()])]


def _cell(kind: str, row: Report | None) -> str:
    if row is None:
        return ""
    missed = row["median_ms"] > TARGETS.get(kind, float("inf"))
    text = f"{row['median_ms']:.0f}"
    return f"**{text}** ({row['p95_ms']:.0f})" if missed else f"{text} ({row['p95_ms']:.0f})"


def _span(counts: list[int]) -> str:
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}–{high}"


def _disk(result: Report) -> list[str]:
    head = ("", "environments", "rows", "table MB", "indexes MB")
    rows: list[tuple[object, ...]] = []
    for each in result["databases"]:
        name, size = _DATABASES[each["database"]], f"{each['environments']:,}"
        rows.append((f"{name}, whole database", size, "", f"{each['disk']['database'] / 1e6:,.0f}", ""))
        for one in each["disk"]["tables"][:3]:
            what = f"{name}, {one['table'].removeprefix('environments_')}"
            megabytes = (f"{one[key] / 1e6:,.0f}" for key in ("bytes", "index_bytes"))
            rows.append((what, size, f"{one['rows']:,}", *megabytes))
    return table(head, rows)


def _peer(result: Report) -> list[str]:
    head = ("", "who", "database", "median ms", "p95", "queries", "KB")
    order = sorted(result["rows"], key=lambda row: (row["page"], row["role"], row["database"], row["product"]))
    rows = [
        (
            f"{row['product']}, {row['page']}",
            row["role"],
            _DATABASES[row["database"]],
            f"{row['median_ms']:.0f}",
            f"{row['p95_ms']:.0f}",
            row["queries"],
            f"{row['bytes'] / 1000:.0f}",
        )
        for row in order
    ]
    versions = result["coldfront"]
    says = f"ColdFront {versions['coldfront']}, Django {versions['django']}, Python {versions['python']}."
    return [*table(head, rows, words=3), "", says]


def _plain(result: Report) -> list[str]:
    """Figures of any shape, a line each."""
    return table(("", ""), _flat(result))


def _flat(result: Report, before: str = "") -> Iterable[tuple[str, object]]:
    for key, value in result.items():
        name = f"{before}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}: ")
        else:
            yield name, value


_RENDER = {"provisioning": _times, "pages": _pages, "collecting": _collecting, "peer": _peer}
