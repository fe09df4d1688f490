"""Filters that pages need: Markdown made safe, and moments and durations in words."""

import nh3
from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

register = template.Library()

# CommonMark with tables; raw HTML in the text stays text.
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown as HTML, sanitised: a platform admin writes it, everybody's browser reads it."""
    return mark_safe(nh3.clean(_markdown.render(text), link_rel="noopener noreferrer"))  # noqa: S308


@register.filter
def duration(milliseconds: int | None) -> str:
    """A duration in the unit that suits it: `18 ms`, `2.4 s`, `3 min`."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds // 60_000} min"
