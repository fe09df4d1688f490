"""The text of e-mails."""

import pytest
from django.template.loader import render_to_string

from environments.lib.activity import Activity
from environments.models import Event


@pytest.fixture
def text(make_environment):
    environment = make_environment(name="R&D <test>")

    def render(kind):
        event = Event(environment=environment, kind=kind, message="It's so.")
        context = {
            "event": event,
            "environment": environment,
            "link": "https://portal/e/x/",
            "portal_name": "Allotment",
        }
        return render_to_string("email/notice.txt", context)

    return render


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Activity.READY, "/kubeconfig/"),
        (Activity.FAILED, "Try again now"),
        (Activity.DELETED, "The page with its history stays."),
    ],
)
def test_each_message_says_what_to_do_next_and_where(text, kind, says):
    assert says in text(kind)
    assert "https://portal/e/x/" in text(kind)


def test_plain_text_is_not_escaped(text):
    assert text(Activity.READY).startswith("R&D <test>: It's so.")


@pytest.mark.parametrize("kind", [Activity.READY, Activity.FAILED, Activity.DELETED])
def test_no_message_has_more_than_one_empty_line_in_a_row(text, kind):
    assert "\n\n\n" not in text(kind).strip()
