"""An environment's usage over time, and its pods that are not running."""

import csv

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from environments.web import pages
from environments.web.permissions import visible_environment
from environments.web.views.http import UserRequest, render_part


@require_safe
def usage(request: UserRequest, namespace: str) -> HttpResponse:
    """Charts of one period, `?period=24h|7d|30d|90d`."""
    row = visible_environment(request.user, namespace)
    page = pages.usage_page(row, request.GET.get("period", ""), request.GET.get("page", "1"))
    context = {"page": page, "environment": row, "periods": pages.PERIODS, "query": f"period={page.period.key}"}
    return render(request, "environments/usage.html", context)


@require_safe
def usage_csv(request: UserRequest, namespace: str) -> StreamingHttpResponse:
    """The figures behind the charts of one period."""
    row = visible_environment(request.user, namespace)
    period, _ = pages.period_of(request.GET.get("period", ""))
    writer = csv.writer(_Line())
    rows = [pages.CSV_HEADINGS, *pages.csv_rows(row, period)]
    response = StreamingHttpResponse((writer.writerow(each) for each in rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{row.namespace}-usage-{period.key}.csv"'
    return response


@require_safe
def workloads(request: UserRequest, namespace: str) -> HttpResponse:
    """Pods that are not running, and recent warnings, read from the cluster."""
    row = visible_environment(request.user, namespace)
    found = pages.running(row) if pages.has_workloads(row) else None
    context = {"environment": row, "running": found}
    return render_part(request, "environments/workloads.html", "workloads", context)


class _Line:
    """Where csv.writer writes: it hands each line back."""

    def write(self, line: str) -> str:
        """The line."""
        return line
