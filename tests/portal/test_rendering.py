"""Widgets that are drawn in Python are, but for empty lines, character for character those of Django's templates."""

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.utils.safestring import SafeString

from portal.rendering import FormRenderer

_NASTY = "<b>\"quoted\" & 'single'</b>"
_SAFE = SafeString("&amp; as it is")
_GROUPED = [("", "Any"), (_NASTY, _NASTY), ("Group <1>", [("a", "A"), (2, "Two")]), ("last", _SAFE)]
_ATTRS = {"class": _NASTY, "autofocus": True, "disabled": False, "data-x": 3, "aria-describedby": _SAFE}


@pytest.mark.parametrize(
    ("widget", "values"),
    [
        (forms.TextInput(), [None, "", "words", _NASTY, _SAFE, 5]),
        (forms.NumberInput(), [None, 7, "7"]),
        (forms.EmailInput(), ["ada@example.com"]),
        (forms.URLInput(), ["https://example.com/?a=1&b=2"]),
        (forms.PasswordInput(), ["secret"]),
        (forms.HiddenInput(), ["", _NASTY]),
        (forms.DateInput(format="%Y-%m"), ["2026-11"]),
        (forms.CheckboxInput(), [True, False, "on", None]),
        (forms.Select(choices=_GROUPED), [None, "", _NASTY, "a", 2, "2", "gone"]),
        (forms.SelectMultiple(choices=_GROUPED), [None, ["a", "last"]]),
        (forms.NullBooleanSelect(), [None, True]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, forms.Widget) else "",
)
def test_the_html_is_that_of_djangos_templates(widget: forms.Widget, values: list[object]) -> None:
    for value in values:
        for attrs in ({}, _ATTRS):
            theirs = widget.render("the <name>", value, attrs, DjangoTemplates())
            ours = widget.render("the <name>", value, attrs, FormRenderer())
            assert _lines(ours) == _lines(theirs)
            assert isinstance(ours, SafeString)


def _lines(html: str) -> list[str]:
    return [line for line in html.split("\n") if line]


def test_other_widgets_are_djangos() -> None:
    widget = forms.Textarea()
    assert widget.render("text", _NASTY, {}, FormRenderer()) == widget.render("text", _NASTY, {}, DjangoTemplates())


def test_every_form_is_drawn_so() -> None:
    assert isinstance(forms.Form().renderer, FormRenderer)
