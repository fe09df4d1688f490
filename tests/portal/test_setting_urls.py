"""Addresses in settings: read exactly or refused, and never a part of a password in what is said about them."""

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kombu import Connection

from environments.lib import log_context
from portal import env, logs, setting_urls

PLACES = {
    "DATABASE_URL": "postgres://portal:{}@db.example.com:5432/portal",
    "BROKER_URL": "redis://portal:{}@redis.example.com:6379/0",
    "EMAIL_URL": "smtp+tls://portal:{}@mail.example.com:587",
    "HTTPS_PROXY": "http://portal:{}@proxy.example.com:3128",
}
SAID = "".join(PLACES.values()) + "".join(setting_urls.WORDS.values()) + "".join(PLACES)
PARTS = 4  # letters in a row that no message has by chance

bounded = settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
#: Capitals beside digits, so that no part of it is in a message anyway; and whatever breaks addresses.
passwords = st.text(
    st.one_of(
        st.sampled_from("QZX789"),
        st.sampled_from("QZX789#/?@:%[]&=+;,\\ \"'`<>{}|^~ü€\U0001f511"),
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),  # which no environment can hold
    ),
    min_size=PARTS,
    max_size=60,
)


def leaks(password: str, text: str) -> str:
    """A part of the password that a text has and no text about addresses has."""
    pieces = {password[start : start + PARTS] for start in range(len(password) - PARTS + 1)}
    return next((piece for piece in pieces if piece in text and piece not in SAID and piece.isalnum()), "")


@bounded
@given(password=passwords)
@example(password="QZX7#QZX8")
@example(password="QZX7/QZX8@QZX9")
@example(password="[QZX7")
@example(password="789:QZX7")
@example(password="QZX7%zzQZX8")
@pytest.mark.parametrize("name", PLACES)
def test_whatever_a_password_is_no_message_has_a_part_of_it(monkeypatch, name, password):
    monkeypatch.setenv(name, PLACES[name].format(password))
    for sentence in env.mistakes():
        assert leaks(password, sentence) == ""


@bounded
@given(password=passwords)
@pytest.mark.parametrize("name", PLACES)
def test_an_encoded_password_is_read_exactly(monkeypatch, name, password):
    monkeypatch.setenv(name, PLACES[name].format(quote(password, safe="")))
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in password):
        assert [sentence.partition(" ")[0] for sentence in env.mistakes()] == [name]
        return
    assert env.mistakes() == []
    value = env.read(name)
    if isinstance(value, dict):
        assert value.get("PASSWORD", value.get("EMAIL_HOST_PASSWORD")) == password
    else:
        assert setting_urls.parse(value).password == password
    if name == "BROKER_URL":
        assert Connection(value).password == password


@bounded
@given(password=passwords)
def test_what_libraries_log_of_the_broker_has_no_part_of_its_password(monkeypatch, password):
    """As Celery and kombu do: the address, its parts as they read them, and what they quote of it in errors."""
    monkeypatch.setenv("BROKER_URL", PLACES["BROKER_URL"].format(password))
    if env.mistakes():
        return
    value = env.read("BROKER_URL")
    logs.conceal_settings()
    found = Connection(value)
    text = f"Cannot connect to {found.as_uri()}: {found.hostname} {found.port} {found.virtual_host}"
    assert leaks(password, text) == ""
    if len(password) >= 8:  # shorter ones are not looked for in lines: they are in ordinary words
        assert leaks(password, log_context.without_secrets(f"cannot connect to {value}")) == ""
