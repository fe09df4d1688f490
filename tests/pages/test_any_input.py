"""No form and no page answers 500, whatever is entered: a clear error at its field, or a page that says no.

Forms are found on the pages. In the suite some fields of each form get one value, every one another;
`make any-input` gives each of them all.
"""

import os
import traceback
from collections import Counter
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client, override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.demo.simulated import SimulatedCluster
from tests import once
from tests.pages import any_input, gallery, visits

IN_FULL = os.environ.get("ANY_INPUT") == "full"
PER_FIELD = len(any_input.NASTY) if IN_FULL else 1
FIELDS = 6  # about so many of each form in the suite
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
BODIES = (
    ("application/json", b"{"),
    ("application/x-www-form-urlencoded", b"%00=%00&a[]=1&=&;&%ff=%ff"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\0\r\n'),
    ("multipart/form-data", b"--x"),
    ("text/\xff; charset=nonsense", b"\xff\xfe"),
)
LOCAL = {"LOCAL_ACCOUNTS": True, "MFA_REQUIRED_FOR": "nobody", "ROOT_URLCONF": "tests.portal.local_urls"}

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(3600 if IN_FULL else 300)]


def like_postgresql(execute, sql, params, many, context):
    """Refuse what PostgreSQL refuses and SQLite takes."""
    for value in params.values() if isinstance(params, dict) else params or ():
        if isinstance(value, str) and "\0" in value:
            raise ValueError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return execute(sql, params, many, context)


class Portal:
    """The gallery, asked by its people; what an answer changes is undone."""

    def __init__(self, world, found) -> None:
        self.found = found
        self.clients = {name: Client() for name in visits.ROLES}
        for name, client in self.clients.items():
            client.force_login(world.people[name])
        self.failures = Counter()

    def ask(self, what, role, send) -> int:
        """The status; a traceback is kept in `failures`."""
        client = self.clients[role]
        cookies = client.cookies.copy()
        try:
            with transaction.atomic():
                status = self._send(send, client)
                transaction.set_rollback(True)
        except Exception as error:
            self.failures[what, _where(error)] += 1
            status = 500
        client.cookies = cookies
        return status

    def _send(self, send, client) -> int:
        with connection.execute_wrapper(like_postgresql):
            response = send(client)
        if response.streaming:
            response.close()
        if response.status_code >= 500 and response.status_code != 503:  # the provider is down here
            raise AssertionError(f"status {response.status_code}")
        return response.status_code


def _where(error) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/" not in frame.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    ours = [frame for frame in frames if "/site-packages/" not in frame.filename]
    mine = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}: {str(error)[:150]} at {place}, {mine}"


@pytest.fixture(scope="module")
def portal(django_db_setup, django_db_blocker, tmp_path_factory):
    mail_folder = tmp_path_factory.mktemp("mail")
    cache.clear()
    with (
        SimulatedCluster() as simulated,
        once.passing(django_db_blocker),
        override_settings(MAIL_FOLDER=str(mail_folder), PORTAL_URL="http://testserver", **LOCAL),
    ):
        world = gallery.build(simulated, mail_folder)
        found = any_input.find(visits.collect(world))
        yield Portal(world, found)
    cache.clear()


def values(number: int) -> list[bytes]:
    """The values for a field: all, or a few, other ones for each."""
    return [any_input.NASTY[(number * PER_FIELD + step) % len(any_input.NASTY)] for step in range(PER_FIELD)]


def test_no_field_of_any_form_makes_an_error_page(portal):
    forms = list(portal.found.forms.values())
    assert len(forms) > 60
    number = 0
    for form in forms:
        names = list(dict.fromkeys(name for name, _ in form.fields))
        for name in names if IN_FULL else names[:: max(1, len(names) // FIELDS)]:
            for value in values(number):
                body = form.with_value(name, value)
                what = f"{form.method} {form.action} {name}={value[:30]!r}"
                portal.ask(what, form.role, lambda client, form=form, body=body: form.send(client, body))
            number += 1
    assert number > 300
    assert_none(portal)


def test_no_parameter_of_any_address_makes_an_error_page(portal):
    assert len(portal.found.addresses) > 80
    number = 0
    for role, path, names in portal.found.addresses.values():
        for name in sorted({*names, *(("q", "page", "p", "sort") if IN_FULL else ())}):
            for value in values(number):
                query = f"{any_input.quote_from_bytes(name.encode())}={any_input.quote_from_bytes(value)}"
                portal.ask(f"GET {path}?{query[:60]}", role, lambda client, url=f"{path}?{query}": client.get(url))
            number += 1
    assert_none(portal)


def test_no_method_and_no_body_makes_an_error_page(portal):
    for number, (role, path, _) in enumerate(portal.found.addresses.values()):
        few = {METHODS[(number + step) % len(METHODS)] for step in (0, 3, 6)}
        for index, method in enumerate(METHODS if IN_FULL else sorted(few)):
            chosen = BODIES if IN_FULL else [BODIES[(number + index) % len(BODIES)]]
            for kind, body in chosen:
                portal.ask(
                    f"{method} {path} {kind}",
                    role,
                    lambda client, m=method, p=path, k=kind, b=body: client.generic(m, p, b, content_type=k),
                )
    assert_none(portal)


@settings(
    max_examples=5000 if IN_FULL else 150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_text_at_all_makes_an_error_page(portal, data):
    form = data.draw(st.sampled_from([form for form in portal.found.forms.values() if form.fields]))
    name = data.draw(st.sampled_from([name for name, _ in form.fields]))
    value = data.draw(st.text(max_size=300)).encode(errors="surrogatepass")
    body = form.with_value(name, value)
    portal.ask(f"{form.method} {form.action} {name}={value[:30]!r}", form.role, lambda client: form.send(client, body))
    assert_none(portal)


def assert_none(portal) -> None:
    failures, portal.failures = portal.failures, Counter()
    lines = {}
    for (what, where), _ in failures.items():
        lines.setdefault(where, []).append(what)
    assert not lines, "\n".join(f"{where}\n    {len(whats)}: {whats[:3]}" for where, whats in lines.items())
