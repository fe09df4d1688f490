"""Small parts of pages about environments, as HTML. A page has dozens of each, and templates are slow at that."""

from collections.abc import Iterable
from html import escape
from typing import Any

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from environments.lib.charts import Spark
from environments.lib.phases import Phase
from environments.models import Environment
from environments.templatetags.portal_ui import relative

register = template.Library()

#: As web/pages/fullness.py and listing.py make them, a layer above.
type Bar = Any
type Row = Any

_NOT_CHECKED = SafeString('<span class="pill warn">Not fully checked</span>')
_NO_END = SafeString('<span class="muted">no end date</span>')
_NO_USAGE = SafeString('<span class="muted">no usage yet</span>')
_NOTHING = SafeString('<span class="muted">–</span>')
_PENDING = SafeString('<span class="muted">pending</span>')

_DOT = '<svg class="dot" viewBox="0 0 16 16" aria-hidden="true">{}</svg>'
_FULL = '<circle class="full" cx="8" cy="8" r="7.5"/><path class="cut" d="{}"/>'
_DOTS = {
    "ok": SafeString(_DOT.format(_FULL.format("M4.8 8.3l2.2 2.2 4.3-4.8"))),
    "bad": SafeString(_DOT.format(_FULL.format("M5.5 5.5l5 5M10.5 5.5l-5 5"))),
    "warn": SafeString(_DOT.format(_FULL.format("M8 4.2v4.6M8 11.6v.1"))),
    "wait": SafeString(
        _DOT.format('<circle class="ring" cx="8" cy="8" r="6.7"/><path class="line" d="M8 4.6V8l2.2 1.6"/>')
    ),
}
_RING = SafeString(_DOT.format('<circle class="ring" cx="8" cy="8" r="5"/>'))


@register.filter
def list_rows(rows: Iterable[Row], can_select: object) -> SafeString:
    """The lines of the list of environments as table rows, each with a box to select it if the reader can."""
    return mark_safe("\n".join(_list_row(row, bool(can_select)) for row in rows))  # noqa: S308


def _list_row(row: Row, can_select: bool) -> str:
    environment = row.environment
    name, namespace = escape(environment.name), escape(environment.namespace)
    box = (
        f'<input type="checkbox" form="bulk" name="on" value="{namespace}" id="on-{namespace}">'
        f'<label class="visually-hidden" for="on-{namespace}">Select {name}</label>'
    )
    update = '<span class="sub">update available</span>' if getattr(environment, "is_outdated", False) else ""
    team = f'<span class="sub">{escape(str(environment.team))}</span>' if environment.team else ""
    return (
        f'<tr role="row"><th scope="row" role="rowheader">{box if can_select else ""} '
        f'<a class="name" href="{reverse("environment", args=[environment.namespace])}">{name}</a> '
        f'<code class="sub">{namespace}</code></th> '
        f'<td role="cell">{phase_pill(environment)}</td> '
        f'<td role="cell"><span>{escape(str(environment.version.template))}'
        f'<span class="sub">{escape(environment.size_label)}</span>{update}</span></td> '
        f'<td role="cell">{escape(str(environment.cluster))}</td> '
        f'<td role="cell"><span>{escape(str(environment.owner))}{team}</span></td> '
        f'<td role="cell">{gauge(row.bar, environment)}</td> '
        f'<td role="cell" data-label="Expires" class="nowrap">{expires(environment)}</td></tr>'
    )


@register.filter
def dot(tone: str) -> SafeString:
    """The mark before a line: a shape for each state, so that colour is never alone."""
    return _DOTS.get(tone, _RING)


@register.filter
def phase_pill(environment: Environment) -> SafeString:
    """The phase as a pill: a colour and always the word. Ready is not claimed of what was not read."""
    if environment.phase == Phase.READY and environment.unread:
        return _NOT_CHECKED
    return mark_safe(f'<span class="pill {environment.tone}">{escape(environment.phase)}</span>')  # noqa: S308


@register.filter
def gauge(bar: Bar | None, environment: Environment) -> SafeString:
    """How full an environment's fullest resource is, small: bar, number, and which one; or that it has no usage."""
    if bar is None:
        return _NOTHING if environment.awaits_approval else _NO_USAGE
    return mark_safe(  # noqa: S308
        f'<span class="gauge">{_drawn(bar)} <span class="percent {bar.tone}">{bar.percent} %</span> '
        f'<span class="sub">{escape(bar.name)}</span></span>'
    )


@register.filter
def expires(environment: Environment) -> SafeString:
    """When an environment expires, as seen from now."""
    if environment.ends_at:
        return relative(environment.ends_at)
    return _NOTHING if environment.awaits_approval else _NO_END


@register.filter
def quota_bars(bars: Iterable[Bar]) -> SafeString:
    """How full each resource of a quota is, as a list: the number, then a bar, and a line of the last day."""
    return mark_safe(f'<ul class="quota">{"".join(_quota_bar(bar) for bar in bars)}</ul>')  # noqa: S308


@register.simple_tag
def says(value: bool | None, *, yes: str, no: str) -> SafeString:
    """A check's result: ✓ with `yes` for screen readers, or `no`, what is wrong; pending for None."""
    if value is None:
        return _PENDING
    if value:
        return mark_safe(f'<span class="yes">✓<span class="visually-hidden"> {escape(yes)}</span></span>')  # noqa: S308
    return mark_safe(f'<span class="no">{escape(no)}</span>')  # noqa: S308


def _quota_bar(bar: Bar) -> str:
    return (
        f'<li data-resource="{escape(bar.resource)}"><span class="name">{escape(bar.name)}</span> '
        f'<span class="of"><b>{escape(bar.used)}</b> of {escape(bar.hard)} '
        f'<span class="percent {bar.tone}">{bar.percent} %</span></span> {_drawn(bar)}'
        f"{_spark(bar.spark) if bar.spark else ''}</li>"
    )


def _drawn(bar: Bar) -> str:
    return (
        f'<svg class="bar {bar.tone}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{bar.percent}" height="8"/></svg>'
    )


def _spark(spark: Spark) -> str:
    """A line without axes, beside a figure that is also shown as text."""
    return (
        '<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="area" d="{spark.area}"/><path class="line" d="{spark.line}"/></svg>'
    )
