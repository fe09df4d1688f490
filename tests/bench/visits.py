"""Server time and queries of every page that shows lists, dashboards or reports, on one database.

`python -m tests.bench.visits OUT.json [KINDS]` measures the database in DATABASE_URL. Requests go through Django's
test client: every middleware, the session, the templates, and no network. DEBUG is off, so templates are cached.
"""

import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUNS, WARM_UP, LEAST_RUNS = int(os.environ.get("BENCH_RUNS", "20")), 2, 3
_PATIENCE = 20.0  # seconds for all runs of one page: a slow one is asked less often
ROLES = ("developer", "manager", "admin")

#: More of the list: what people do with it.
_LISTS = ("", "q=service+04", "mine=on", "phase=Deleted", "page=40")
_PERIODS = ("24h", "7d", "30d", "90d")
#: Not measured: they ask a cluster, which the bench does not have, or give out credentials.
_LEFT_OUT = ("workloads", "kubeconfig", "kubeconfig_oidc", "kubeconfig_token")


@dataclass(frozen=True)
class Page:
    """An address and what kind of page it is: list, environment, report, export, admin or other."""

    kind: str
    name: str
    path: str


def pages() -> Iterator[Page]:
    """Every page of the product that can be read, by the table of URLs; then the admin's lists."""
    from django.urls import reverse

    from environments.web import urls

    facts = _facts()
    for pattern in urls.urlpatterns:
        name = str(pattern.name)
        if name in _LEFT_OUT:
            continue
        for kwargs in _arguments(str(pattern.pattern), facts):
            for query in _queries(name):
                path = reverse(name, kwargs=kwargs) + (f"?{query}" if query else "")
                said = " ".join(filter(None, [name.replace("_", " "), kwargs.get("report", ""), query]))
                yield Page(_kind(name), said, path)
    yield from _admin_pages()


def _facts() -> dict[str, list[str]]:
    """What stands for the parts of an address: an ordinary environment of the developer's, and so on."""
    from environments.lib.phases import Phase
    from environments.models import Template

    mine = _developer().environments.filter(phase=Phase.READY).exclude(usage={}).order_by("created_at")
    facts = {"namespace": [mine[0].namespace], "slug": [Template.objects.get(slug="team-namespace").slug]}
    try:
        from environments.reports import REPORTS
    except ImportError:
        return facts
    return facts | {"report": list(REPORTS)}


def _arguments(route: str, facts: dict[str, list[str]]) -> list[dict[str, str]]:
    for part, values in facts.items():
        if f":{part}>" in route:
            return [{part: value} for value in values]
    return [{}]


def _queries(name: str) -> tuple[str, ...]:
    if name == "environments":
        return _LISTS
    if name == "usage":
        return tuple(f"period={period}" for period in _PERIODS)
    return ("", "period=90d") if name == "report" else ("",)


def _kind(name: str) -> str:
    if name.endswith(("_csv", "_xlsx")):
        return "export"
    if name.startswith("report"):
        return "report"
    return {"environments": "list", "environment": "environment", "usage": "environment"}.get(name, "other")


def _admin_pages() -> Iterator[Page]:
    from django.contrib import admin
    from django.urls import reverse

    for model, site in admin.site._registry.items():
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        path = reverse(f"admin:{label}_changelist")
        yield Page("admin", f"admin {model._meta.verbose_name_plural}", path)
        if site.search_fields:
            yield Page("admin", f"admin {model._meta.verbose_name_plural}, search", f"{path}?q=service-0042")
    yield Page("admin", "admin index", reverse("admin:index"))


def _developer() -> Any:
    """dana, or who else has an environment in a team of max's, the manager."""
    from environments.lib.phases import Phase
    from environments.models import User

    rows = User.objects.filter(environments__phase=Phase.READY, environments__team__managers__username="max")
    return rows.filter(username="dana").first() or rows.order_by("username")[0]


def people() -> dict[str, Any]:
    """One person of each role."""
    from environments.models import User

    named = {"manager": User.objects.get(username="max"), "admin": User.objects.get(username="ada")}
    return {"developer": _developer()} | named


def visit(client: Any, path: str) -> tuple[float, Any, int]:
    """Seconds, the response, and its size in bytes; what is streamed is read to its end."""
    start = time.perf_counter()
    response = client.get(path)
    size = sum(map(len, response.streaming_content)) if response.streaming else len(response.content)
    return time.perf_counter() - start, response, size


def measure(client: Any, path: str) -> dict[str, Any] | None:
    """The figures of one page for whoever the client is signed in as; None for what is no page for them."""
    queries, size = _queries_of(client, path)
    if queries is None:
        return None
    first = [visit(client, path)[0] for _ in range(WARM_UP)]
    runs = max(LEAST_RUNS, min(RUNS, int(_PATIENCE / max(first))))
    times = sorted(visit(client, path)[0] for _ in range(runs))
    return {
        "median_ms": round(statistics.median(times) * 1000, 1),
        "min_ms": round(times[0] * 1000, 1),
        "p95_ms": round(times[max(0, -(-len(times) * 95 // 100) - 1)] * 1000, 1),
        "runs": runs,
        "queries": queries,
        "bytes": size,
    }


def _queries_of(client: Any, path: str) -> tuple[int | None, int]:
    from django.db import connection

    count = 0

    def counted(execute: Any, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*arguments)

    with connection.execute_wrapper(counted):
        _, response, size = visit(client, path)
    return (count if response.status_code == 200 else None), size


def measure_all(kinds: set[str]) -> list[dict[str, Any]]:
    """The rows of all pages, or of those of some kinds."""
    from django.test import Client

    rows = []
    for role, person in people().items():
        client = Client(raise_request_exception=True)
        client.force_login(person)
        for page in (page for page in pages() if not kinds or page.kind in kinds):
            figures = measure(client, page.path)
            if figures is not None:
                rows.append({"kind": page.kind, "page": page.name, "role": role, **figures})
    return rows


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    os.environ.setdefault("LOG_LEVEL", "CRITICAL")
    import django

    django.setup()
    from tests.bench import disk

    logging.disable(logging.CRITICAL)  # refusals are looked for here, and would be told at length

    kinds = set(sys.argv[2].split(",")) if len(sys.argv) > 2 else set()
    report = {"rows": measure_all(kinds), "disk": disk.sizes()}
    Path(sys.argv[1]).write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
