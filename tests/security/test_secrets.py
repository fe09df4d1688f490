"""Known secrets, planted in every connection, and every way in which a call can fail: none is ever seen again."""

import json
import logging

import pytest
from django.db import connection
from django.test import Client

from environments import actions, directory
from environments.models import Cluster, Directory, Environment
from environments.routine import observe
from portal.logs import JsonFormatter
from tests.arranging import settle
from tests.security.servers import serving

pytestmark = pytest.mark.django_db

TOKEN, SECRET, KEY = "t0ken-of-the-cluster-4711", "s3cret-of-the-directory-4712", "k3y-of-a-client-4713"
SECRETS = (TOKEN, SECRET, KEY)

STATUSES = ("200 OK", "302 Found", "400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found")
STATUSES += ("409 Conflict", "422 Unprocessable", "429 Slow Down", "500 Oops", "503 Busy")


def echo(status: str):
    """A server that says back everything it was sent, wherever a client may look: a body, a reason, a header."""

    def answer(conn, request: bytes) -> None:
        said = request.decode("latin-1")
        body = {"kind": "Status", "message": said, "reason": said, "detail": said, "error": said, "id": said}
        body |= {"error_description": said, "errorSummary": said, "access_token": said, "metadata": {"name": said}}
        content = json.dumps(body | {"status": {"token": said}, "totalResults": said}).encode()
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Retry-After: 0", "Connection: close"]
        lines += [f"Location: /?{said.partition('Authorization')[2].partition(chr(13))[0]}"]
        conn.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    return answer


@pytest.fixture(params=STATUSES)
def failing(request, people, namespace_template, caplog):
    """An environment whose cluster and directory quote every request, and the pages that tell of it."""
    caplog.set_level(logging.DEBUG)
    with serving(echo(request.param)) as server:
        place = Cluster.objects.create(slug="a", name="A", server=server.url, credential=TOKEN)
        Directory.objects.create(
            name="D", kind="scim", url=server.url, secret=SECRET, client_id="portal", token_url=server.url,
            is_default=True,
        )  # fmt: skip
        wish = actions.Draft(
            version=namespace_template, name="shop", cluster=place, parameters={"cpu": "1000m", "memory": "1024Mi"},
            collaborators={"theo@example.com": "viewer"},
        )  # fmt: skip
        environment = settle(actions.request_environment(people[0], wish), tries=3)
        observe.observe(place.pk)
        yield environment, place
        directory.connect(Directory.objects.get()).close()


def texts_of_the_database() -> str:
    """Every row of every table, as it is stored."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [str(row) for row in cursor.fetchall()]
    return "\n".join(found)


def test_no_failure_tells_a_secret(failing, caplog, ada):
    environment, place = failing
    stored = texts_of_the_database()
    for secret in SECRETS:
        assert secret not in stored
        assert secret not in caplog.text
    client = Client(raise_request_exception=False)
    client.force_login(ada)
    home = Directory.objects.get()
    below = f"/environments/{environment.namespace}/"
    paths = [below, f"{below}history/", f"{below}members/", f"{below}objects/", f"{below}kubeconfig/"]
    paths += ["/admin/", "/environments/", f"/admin/environments/cluster/{place.pk}/change/"]
    paths += [f"/admin/environments/directory/{home.pk}/change/", "/admin/environments/event/"]
    paths += ["/admin/environments/condition/", "/admin/environments/cluster/", "/admin/environments/directory/"]
    pages = [client.get(path) for path in paths]
    pages += [client.post(f"/admin/environments/cluster/{place.pk}/check/")]
    pages += [client.post(f"/admin/environments/directory/{home.pk}/test/")]
    pages += [client.post(f"{below}kubeconfig/token/", {"hours": 1})]
    for page in pages:
        for secret in SECRETS:
            assert secret.encode() not in page.content, page.request["PATH_INFO"]
    for secret in SECRETS:
        assert secret not in caplog.text
        assert secret not in texts_of_the_database()


def test_a_form_that_fails_gives_no_secret_back_and_no_history_keeps_one(client, ada):
    client.force_login(ada)
    user = {"name": "a", "user": {"client-key-data": KEY, "token": TOKEN}}
    kubeconfig = json.dumps({"clusters": [], "users": [user]})
    for add, sent in (
        ("cluster", {"name": "A", "slug": "a", "credential_kind": "token", "credential": f"{TOKEN} {KEY}"}),
        ("cluster", {"name": "A", "slug": "a", "credential_kind": "kubeconfig", "credential": kubeconfig}),
        ("cluster", {"name": "A", "slug": "a", "credential_kind": "kubeconfig", "credential": f"{TOKEN}: [{KEY}"}),
        ("directory", {"name": "", "kind": "scim", "url": "nonsense", "secret": SECRET}),
    ):
        page = client.post(f"/admin/environments/{add}/add/", sent)
        assert page.status_code == 200
        for secret in SECRETS:
            assert secret.encode() not in page.content
    good = {"name": "D", "kind": "scim", "strangers": "show", "url": "https://idp.example.com", "secret": SECRET}
    assert client.post("/admin/environments/directory/add/", good).status_code == 302
    row = Directory.objects.get()
    change = {
        "name": "D2",
        "kind": "scim",
        "strangers": "show",
        "url": "https://idp.example.com",
        "secret": f"{SECRET}-new",
    }
    assert client.post(f"/admin/environments/directory/{row.pk}/change/", change).status_code == 302
    for path in ("change", "history", "delete"):
        assert SECRET.encode() not in client.get(f"/admin/environments/directory/{row.pk}/{path}/").content
    assert SECRET not in texts_of_the_database()
    row.refresh_from_db()
    assert row.secret == f"{SECRET}-new"


def test_messages_in_the_queue_hold_an_id_and_nothing_else(ask, enqueued, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        environment = ask()
    (message,) = enqueued.messages
    assert str(environment.pk) in str(message)
    for word in ("dana", "checkout", "example.com"):
        assert word not in str(message)


def test_an_unexpected_mistake_is_told_without_its_words(ask, monkeypatch, client, caplog):
    """What a library says in an exception may hold anything: the page has a sentence of ours."""
    environment = settle(ask())

    def crash(*_, **__):
        raise RuntimeError(f"Authorization: Bearer {TOKEN} password={SECRET}")

    for call in ("apply", "list_objects"):  # what is as wanted is not applied again
        monkeypatch.setattr(f"environments.kube.client.ClusterClient.{call}", crash)
    actions.try_again(environment, environment.owner)
    Environment.objects.update(generation=9)
    environment = settle(environment, tries=1)
    said = " ".join(environment.conditions.values_list("message", flat=True))
    assert "The portal had an unexpected error" in said
    assert TOKEN not in texts_of_the_database()
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert not any(TOKEN in line or SECRET in line for line in lines)


def test_what_somebody_types_forges_no_line_of_the_log():
    typed = 'a\n{"level": "CRITICAL"}\r\x1b[2J\u2028b'
    record = logging.LogRecord("x", logging.INFO, "", 1, "name %s", (typed,), None)
    line = JsonFormatter().format(record)
    assert len(line.splitlines()) == 1
    assert json.loads(line)["level"] == "INFO"
    assert "\x1b" not in line
