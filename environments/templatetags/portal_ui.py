"""Filters that pages need: Markdown made safe, moments and durations in words, and where the reader is."""

from datetime import datetime

import nh3
from django import template
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

register = template.Library()

# CommonMark with tables; raw HTML in the text stays text.
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")

# The largest unit that fits, each from so many seconds on. static/portal.js says it in the same words.
_UNITS = (("day", 86_400, 36 * 3600), ("hour", 3600, 90 * 60), ("minute", 60, 90), ("second", 1, 0))
_NOW = 5  # seconds that are not worth a number

_SECTIONS = {
    "catalog": ("catalog", "template", "request", "preview"),
    "environments": (
        "environments",
        "environment",
        "history",
        "objects",
        "delete",
        "alerts",
        "members",
        "kubeconfig",
        "usage",
        "workloads",
    ),
    "approvals": ("approvals", "decide"),
    "reports": ("reports", "report", "report_csv", "report_xlsx"),
    "outbox": ("outbox",),
}


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown as HTML, sanitised: a platform admin writes it, everybody's browser reads it."""
    return mark_safe(nh3.clean(_markdown.render(text), link_rel="noopener noreferrer"))  # noqa: S308


@register.filter
def duration(milliseconds: int | None) -> str:
    """A duration in the unit that suits it: `18 ms`, `2.4 s`, `3 min`, `5 h`."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    minutes = milliseconds // 60_000
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


@register.filter
def relative(moment: datetime | None) -> SafeString:
    """A moment as seen from now, past or coming: `3 minutes ago`, `in 23 days`."""
    if moment is None:
        return SafeString()
    return _time(moment, in_words((moment - timezone.now()).total_seconds()), "relative", "near")


@register.filter
def next_try(moment: datetime) -> SafeString:
    """A moment that is waited for: `in 12 seconds`, and `in a moment` once it has come."""
    seconds = (moment - timezone.now()).total_seconds()
    return _time(moment, in_words(seconds) if seconds >= _NOW else "in a moment", "relative", "next")


@register.filter
def clock(moment: datetime | None) -> SafeString:
    """The time of day, `14:05:30 UTC`; the browser's own time where scripts run."""
    return _time(moment, f"{moment:%H:%M:%S} UTC", "clock", "time") if moment else SafeString()


@register.filter
def date_and_time(moment: datetime | None) -> SafeString:
    """Date and time, `23 Nov 2026, 14:05:30 UTC`; the browser's own time where scripts run."""
    return _time(moment, f"{moment:%-d %b %Y, %H:%M:%S} UTC", "clock", "full") if moment else SafeString()


def in_words(seconds: float) -> str:
    """Seconds from now, negative for the past, in the largest unit that fits."""
    if abs(seconds) < _NOW:
        return "in a moment" if seconds > 0 else "just now"
    unit, length = next((unit, length) for unit, length, start in _UNITS if abs(seconds) >= start)
    count = round(abs(seconds) / length)
    words = f"{count} {unit}" + ("" if count == 1 else "s")
    return f"in {words}" if seconds > 0 else f"{words} ago"


@register.simple_tag(takes_context=True)
def section(context: template.Context) -> str:
    """The part of the portal that the page belongs to, empty outside of them."""
    request: HttpRequest | None = context.get("request")
    match = request.resolver_match if request else None
    name = match.url_name if match and not match.namespaces else None
    return next((section for section, names in _SECTIONS.items() if name in names), "")


def _time(moment: datetime, text: str, kind: str, how: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}" data-{}="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        f"{moment:%-d %B %Y, %H:%M:%S} UTC",
        kind,
        how,
        text,
    )
