"""The text of emails."""

import pytest
from django.template.loader import render_to_string

from environments.models import Event


@pytest.fixture
def text(make_environment, settings):
    settings.PORTAL_URL = "https://portal.example.com"
    environment = make_environment(name="R&D <test>")

    def render(kind):
        event = Event(environment=environment, kind=kind, message="It's so.")
        context = {"event": event, "environment": environment, "portal_name": "Allotment"}
        return render_to_string("email/notice.txt", context)

    return render


@pytest.mark.parametrize(
    ("kind", "says"),
    [("Ready", "/kubeconfig/"), ("Failed", "Try again now"), ("Deleted", "Its page and history are kept.")],
)
def test_each_message_says_what_to_do_next_and_where(text, kind, says):
    assert says in text(kind)
    assert "https://portal.example.com/environments/" in text(kind)


def test_plain_text_is_not_escaped(text):
    assert text("Failed").startswith("Setup of the environment “R&D <test>” failed:\n\n  It's so.\n")


def test_a_failed_environment_is_retried_and_the_message_says_so(text):
    assert "We also retry every 15 minutes." in text("Failed")


@pytest.mark.parametrize(
    "kind", ["Ready", "Failed", "Deleted", "Approved", "Rejected", "Withdrawn", "Orphaned", "Mutated"]
)
def test_no_message_has_more_than_one_empty_line_in_a_row(text, kind):
    assert "\n\n\n" not in text(kind).strip()
