"""Filters that pages need: Markdown made safe, moments and durations in words, and where the reader is."""

from datetime import datetime

import nh3
from django import template
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from environments.lib import dates

register = template.Library()

# CommonMark with tables; raw HTML in the text stays text.
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")

_SECTIONS = {
    "home": ("home",),
    "catalog": ("catalog", "template", "request", "preview"),
    "environments": (
        "environments",
        "bulk",
        "environment",
        "history",
        "objects",
        "details",
        "delete",
        "alerts",
        "members",
        "leave",
        "move",
        "kubeconfig",
        "check_sign_in",
        "usage",
        "workloads",
    ),
    "approvals": ("approvals", "decide", "decide_several", "reject", "ask"),
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
def address(email: str) -> SafeString:
    """An email address that breaks before its @ if it has to, not inside the domain."""
    person, _, domain = email.rpartition("@")
    return (
        format_html('<span class="address">{}<wbr>@{}</span>', person, domain) if person else format_html("{}", email)
    )


@register.filter
def relative(moment: datetime | None) -> SafeString:
    """A moment as seen from now, past or coming: `3 minutes ago`, `in 23 days`; the exact one in its title."""
    return _time(moment, dates.relative(_seconds_until(moment)), "near") if moment else SafeString()


@register.filter
def next_try(moment: datetime) -> SafeString:
    """A moment that is waited for: `in 12 seconds`, and `in a moment` once it has come."""
    return _time(moment, dates.next_try(_seconds_until(moment)), "next")


@register.filter
def day(moment: datetime | None) -> SafeString:
    """A moment's date, `29 November 2026`."""
    return _time(moment, dates.day(moment)) if moment else SafeString()


@register.filter
def date_and_time(moment: datetime | None) -> SafeString:
    """A moment's date and time, `29 November 2026, 10:16`."""
    return _time(moment, dates.date_and_time(moment)) if moment else SafeString()


@register.filter
def upcoming(moment: datetime | None) -> SafeString:
    """The date and time of something to come, `1 December, 10:16`; with its year if that is half a year away."""
    return _time(moment, dates.upcoming(moment, timezone.now())) if moment else SafeString()


@register.simple_tag(takes_context=True)
def section(context: template.Context) -> str:
    """The part of the portal that the page belongs to, empty outside of them."""
    request: HttpRequest | None = context.get("request")
    match = request.resolver_match if request else None
    name = match.url_name if match and not match.namespaces else None
    return next((section for section, names in _SECTIONS.items() if name in names), "")


def _seconds_until(moment: datetime) -> float:
    return (moment - timezone.now()).total_seconds()


def _time(moment: datetime, text: str, relative: str = "") -> SafeString:
    """The `time` element of a moment. `relative`: how portal.js keeps its words fresh, empty for a fixed text."""
    fresh = format_html(' data-relative="{}"', relative) if relative else ""
    machine = moment.isoformat(timespec="seconds")
    return format_html('<time datetime="{}" title="{}"{}>{}</time>', machine, dates.exact(moment), fresh, text)
