"""The text of e-mails."""

import pytest
from django.template.loader import render_to_string

from environments.models import Event


@pytest.fixture
def text(make_environment):
    environment = make_environment(name="R&D <test>")

    def render(verb):
        event = Event(environment=environment, verb=verb, message="It's so.")
        context = {
            "event": event,
            "environment": environment,
            "link": "https://portal/e/x/",
            "portal_name": "Allotment",
        }
        return render_to_string("email/notice.txt", context)

    return render


@pytest.mark.parametrize(
    ("verb", "says"),
    [("Ready", "/kubeconfig/"), ("Failed", "Try again now"), ("Deleted", "The page with its history stays.")],
)
def test_each_message_says_what_to_do_next_and_where(text, verb, says):
    assert says in text(verb)
    assert "https://portal/e/x/" in text(verb)


def test_plain_text_is_not_escaped(text):
    assert text("Ready").startswith("R&D <test>: It's so.")


@pytest.mark.parametrize("verb", ["Ready", "Failed", "Deleted"])
def test_no_message_has_more_than_one_empty_line_in_a_row(text, verb):
    assert "\n\n\n" not in text(verb).strip()
