"""The demo's outbox."""

import os

import pytest
from django.core.mail import EmailMessage
from django.core.mail.backends.filebased import EmailBackend

from tests.pages.reading import read, words


@pytest.fixture
def folder(settings, tmp_path):
    settings.MAIL_FOLDER = str(tmp_path)
    return tmp_path


@pytest.fixture
def page(client):
    def get(user):
        client.force_login(user)
        return client.get("/outbox/")

    return get


def send(folder, subject, body="Hello", age=0):
    """Write a message as the mail backend of the demo does."""
    message = EmailMessage(subject, body, "allotment@example.com", ["dana@example.com"])
    raw = message.message().as_bytes() + b"\n" + b"-" * 79 + b"\n"
    file = folder / f"{subject.split()[0]}.log"
    file.write_bytes(raw + (file.read_bytes() if file.exists() else b""))
    os.utime(file, (1_800_000_000 - age, 1_800_000_000 - age))


def test_messages_are_shown_newest_first(page, ada, folder):
    send(folder, "First of two", age=60)
    send(folder, "Second of two — né")
    articles = read(page(ada)).select("article")
    assert [words(article.h2) for article in articles] == ["Second of two — né", "First of two"]
    assert "To dana@example.com" in words(articles[0])
    assert "Hello" in words(articles[0])


def test_a_file_may_hold_several_messages(page, ada, folder):
    send(folder, "Same file, newer")
    send(folder, "Same file, older")
    assert [words(heading) for heading in read(page(ada)).select("article h2")] == [
        "Same file, newer",
        "Same file, older",
    ]


def test_links_in_a_message_can_be_followed_and_html_stays_text(page, ada, folder):
    send(folder, "Links", "http://localhost:8000/environments/x/ <script>alert(1)</script>")
    article = read(page(ada)).find("article")
    assert article.a["href"] == "http://localhost:8000/environments/x/"
    assert article.find("script") is None


def test_something_that_is_no_message_breaks_nothing(page, ada, folder):
    (folder / "broken.log").write_bytes(b"\xff\xfe not a message")
    assert words(read(page(ada)).find("article").h2) == "(no subject)"


def test_at_most_a_hundred_are_shown(page, ada, folder):
    for number in range(103):
        send(folder, f"number-{number}")
    assert len(read(page(ada)).select("article")) == 100


def test_an_empty_outbox_says_when_messages_come(page, ada, folder):
    assert "No messages yet" in words(read(page(ada)).find(class_="empty"))


def test_it_is_for_platform_admins(page, dana, max_manager, folder):
    assert [page(user).status_code for user in (dana, max_manager)] == [403, 403]


def test_where_mail_really_leaves_there_is_no_outbox(page, ada):
    read(page(ada), status=404)


def test_the_backend_of_the_demo_is_the_one_that_is_read():
    """The reader relies on how this backend parts messages."""
    assert EmailBackend.write_message.__module__ == "django.core.mail.backends.filebased"
