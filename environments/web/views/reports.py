"""Reports: the first page, each report as a page, as CSV and as a spreadsheet, all from the same rows."""

import tempfile
from itertools import batched
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from environments import reports
from environments.reports import exports
from environments.reports.filters import Filters, FiltersForm
from environments.reports.pages import figure_text, report_page
from environments.web.views.http import UserRequest

_LINES = 200  # of a CSV that are sent at once: one by one, sending costs more than making them
_SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@require_safe
def landing(request: UserRequest) -> HttpResponse:
    """Show the first page: key figures, what needs attention, and links to every report."""
    _allowed(request)
    form = FiltersForm(request.GET, request.user, reports.today())
    filters = form.filters()
    page = reports.landing.build(filters)
    context = {
        "form": form,
        "filters": filters,
        "page": page,
        "figures": [figure_text(figure, settings.CURRENCY) for figure in page.figures],
        "others": [(each, filters.link(each.slug)) for each in reports.REPORTS.values()],
        "facts": _facts(filters),
    }
    return render(request, "reports/landing.html", context)


@require_safe
def report(request: UserRequest, report: str) -> HttpResponse:
    """Show a report as a page."""
    kind = _kind(request, report)
    form = reports.form_for(kind, request.GET, request.user)
    return _page(request, kind, form, form.filters())


@require_safe
def report_csv(request: UserRequest, report: str) -> HttpResponseBase:
    """One of a report's tables as CSV, the first unless `table` names another; streamed."""
    kind = _kind(request, report)
    form = reports.form_for(kind, request.GET, request.user)
    filters = form.filters()
    if form.errors:
        return _page(request, kind, form, filters, status=422)
    built = kind.build(filters)
    key = request.GET.get("table") or built.tables[0].key
    table = next((table for table in built.tables if table.key == key), None)
    if table is None:
        raise Http404("This report does not have this table.")
    name = _file_name(kind, filters, "csv", *([] if table is built.tables[0] else [table.key]))
    some = batched(exports.csv_lines(table, settings.CURRENCY), _LINES, strict=False)
    return StreamingHttpResponse(
        ("".join(lines).encode() for lines in some), content_type="text/csv; charset=utf-8", headers=_attached(name)
    )


@require_safe
def report_xlsx(request: UserRequest, report: str) -> HttpResponseBase:
    """A report as a spreadsheet: what it is, then a sheet for each table."""
    kind = _kind(request, report)
    form = reports.form_for(kind, request.GET, request.user)
    filters = form.filters()
    if form.errors:
        return _page(request, kind, form, filters, status=422)
    file = tempfile.SpooledTemporaryFile(max_size=2**20)  # noqa: SIM115 (the response closes it)
    address = request.build_absolute_uri(filters.link(kind.slug))
    facts = [*_facts(filters), ("Generated for", str(request.user)), ("Address", address)]
    exports.write_xlsx(file, kind.title, kind.build(filters), facts, settings.CURRENCY)
    file.seek(0)
    name = _file_name(kind, filters, "xlsx")
    return FileResponse(file, as_attachment=True, filename=name, content_type=_SPREADSHEET)


def _kind(request: UserRequest, slug: str) -> reports.ReportType:
    """The report of that name. Raises PermissionDenied for developers, Http404 where there is none."""
    _allowed(request)
    if slug not in reports.REPORTS:
        raise Http404("This report does not exist.")
    return reports.REPORTS[slug]


def _allowed(request: UserRequest) -> None:
    if not (request.user.is_manager or request.user.is_platform_admin):
        raise PermissionDenied("Only managers and platform admins can see reports.")


def _page(
    request: UserRequest, kind: reports.ReportType, form: FiltersForm, filters: Filters, status: int = 200
) -> HttpResponse:
    built = kind.build(filters)
    context = {
        "kind": kind,
        "form": form,
        "filters": filters,
        "page": report_page(built, request.GET.dict(), settings.CURRENCY),
        "others": [(each, filters.link(each.slug)) for each in reports.REPORTS.values()],
        "facts": _facts(filters),
        "query": urlencode(_exported(request)),
    }
    return render(request, "reports/report.html", context, status=status)


def _exported(request: UserRequest) -> dict[str, str]:
    """The query without what is about the page alone."""
    return {name: value for name, value in request.GET.dict().items() if value and not name.endswith("-page")}


def _facts(filters: Filters) -> list[tuple[str, str]]:
    """Return the period, the filters and when the report was generated."""
    days, before = filters.period.words, filters.period.before_words
    running = ", so far" if filters.period.is_running else ""
    period = [("Period", f"{days}{running} (UTC)"), ("Compared with", before)] if filters.has_period else []
    return [*period, *filters.labels, ("Generated", f"{timezone.now():%-d %B %Y, %H:%M} UTC")]


def _file_name(kind: reports.ReportType, filters: Filters, ending: str, *more: str) -> str:
    """Such as `cost-2026-10-24-to-2026-11-22.csv`: what is in it, and nothing that anybody typed."""
    days = [filters.period.start.isoformat(), "to", filters.period.last.isoformat()]
    return "-".join([kind.slug, *more, *(days if filters.has_period else [filters.today.isoformat()])]) + f".{ending}"


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
