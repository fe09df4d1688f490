"""Log lines: whose they are from the request to the step, what can never be in them, and that none can be forged."""

import io
import json
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from django.utils.functional import SimpleLazyObject

from environments import tasks
from environments.lib import log_context
from environments.lib.phases import Phase
from portal import logs, task_logs, urls
from portal.logs import JsonFormatter, TextFormatter
from tests.arranging import settle

FORMATTERS = [JsonFormatter(), TextFormatter()]


class Lines(logging.Handler):
    """Every record, as JSON and as text, formatted where it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict] = []
        self.text = io.StringIO()

    def emit(self, record: logging.LogRecord) -> None:
        raw = JsonFormatter().format(record)
        self.lines.append(json.loads(raw))
        self.text.write(f"{raw}\n{TextFormatter().format(record)}\n")

    def by(self, logger: str) -> list[dict]:
        return [line for line in self.lines if line["logger"] == logger]


@pytest.fixture
def written():
    """Everything that is logged, however detailed."""
    handler, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture(autouse=True)
def between_requests():
    log_context.begin()
    yield
    log_context.begin()


def record(message: str, *args: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("portal.test", logging.INFO, __file__, 1, message, args, None)
    made.__dict__.update(more)
    return made


# The lines


def test_a_line_has_what_it_should_and_nothing_that_a_library_attached():
    with log_context.bound(request_id="abcdefgh", user="7", step="Quota", environment=""):
        line = json.loads(
            JsonFormatter().format(record("%s done", "it", request="GET /?code=x", fields={"status": 200}))
        )
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "portal.test",
        "message": "it done",
        "request_id": "abcdefgh",
        "user": "7",
        "step": "Quota",
        "status": 200,
    }


FORGED = "harmless\r\n2026-11-23T00:00:00.000+00:00 INFO portal.access forged\x1b[2K\u2028also\x00\u202e"


@pytest.mark.parametrize("formatter", FORMATTERS, ids=["json", "text"])
def test_no_message_makes_a_second_line_or_moves_the_cursor(formatter):
    with log_context.bound(user="7\nforged"):
        line = formatter.format(record("%s", FORGED))
    assert "forged" in line
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_a_traceback_in_text_is_indented_so_that_none_of_it_passes_for_a_line():
    try:
        raise ValueError(FORGED)
    except ValueError:
        line = TextFormatter().format(record("broke", exc_info=sys.exc_info()))
    first, *others = line.split("\n")
    assert first.endswith("INFO portal.test broke")
    assert others
    assert all(other.startswith("    ") for other in others)
    assert all(character.isprintable() or character == "\n" for character in line)


@pytest.mark.parametrize(
    ("said", "written_down"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer …"),
        ("b'Basic cG9ydGFsOmh1bnRlcjI='", "b'Basic …'"),
        ("redis://portal:hunter2@redis:6379/0 is down", "redis://…@redis:6379/0 is down"),
        ("grant_type=client_credentials&client_secret=hunter2&scope=x", "…"),
        (f"token eyJhbGciOiJIUzI1NiJ9.{'e' * 40}.{'s' * 40} refused", "token … refused"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "…"),
        ("nothing secret: 3 of 4 pods", "nothing secret: 3 of 4 pods"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(said, written_down):
    if said.startswith("grant_type"):
        written_down = "grant_type=client_credentials&client_secret=…&scope=x"
    assert logs.clean(said) == written_down


def test_a_secret_that_was_named_is_taken_out_wherever_it_turns_up():
    log_context.conceal("correct-horse-battery", "correct-horse-battery-staple")
    assert logs.clean("KeyError: 'correct-horse-battery-staple'") == "KeyError: '…'"
    assert logs.clean("correct-horse-battery!") == "…!"
    log_context.conceal("short")
    assert logs.clean("in short") == "in short"


def test_only_so_many_secrets_are_kept(monkeypatch):
    monkeypatch.setattr(log_context, "MOST_SECRETS", 2)
    log_context.conceal(*(f"renewed-token-{number}" for number in range(5)))
    assert logs.clean("renewed-token-4 renewed-token-3") == "… …"
    assert logs.clean("renewed-token-0") == "renewed-token-0"


def test_a_message_without_end_is_cut():
    assert len(logs.clean("x" * 1_000_000)) < 30_000


def test_another_thread_says_nothing_unless_it_is_carried_there():
    seen: list[dict[str, str]] = []
    with log_context.bound(request_id="abcdefgh"):
        targets = (
            lambda: seen.append(log_context.fields()),
            log_context.carried(lambda: seen.append(log_context.fields())),
        )
        for target in targets:
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == [{}, {"request_id": "abcdefgh"}]


# The request


@pytest.mark.parametrize(
    ("trusted", "given", "taken"),
    [
        (True, "5f3c-abc.DEF_9", True),
        (True, "short", False),
        (True, "x" * 65, False),
        (True, "abcdefgh\nforged", False),
        (True, "abcdefgh forged", False),
        (True, "-abcdefgh", False),
        (False, "5f3c-abc.DEF_9", False),
    ],
)
def test_a_request_id_is_taken_from_a_proxy_only_and_only_if_it_is_one(settings, trusted, given, taken):
    settings.TRUST_PROXY = trusted
    answer = logs.RequestLogMiddleware(lambda _: HttpResponse())(
        RequestFactory().get("/", headers={"X-Request-ID": given})
    )
    assert (answer["X-Request-ID"] == given) is taken
    assert logs.well_formed(answer["X-Request-ID"])


def test_who_is_signed_in_is_said_without_asking_the_database():
    def explode() -> None:
        raise AssertionError("asked")

    request = RequestFactory().get("/")
    assert logs.user_id(request) == ""
    request.user = SimpleLazyObject(explode)
    assert logs.user_id(request) == ""
    request.user = AnonymousUser()
    assert logs.user_id(request) == ""


@pytest.mark.django_db
def test_a_request_leaves_one_line_with_its_id_its_user_and_no_query(written, make_environment, dana):
    environment = make_environment()
    client = Client()
    client.force_login(dana)
    answer = client.get(f"/environments/{environment.namespace}/?code=hunter2hunter2")
    line = next(line for line in written.by("portal.access") if line["request_id"] == answer["X-Request-ID"])
    assert line["user"] == str(dana.pk)
    assert (line["method"], line["status"], line["namespace"]) == ("GET", 200, environment.namespace)
    assert line["duration_ms"] > 0
    assert "hunter2" not in written.text.getvalue()
    assert dana.email not in written.text.getvalue()


@pytest.mark.django_db
def test_the_line_that_django_writes_about_an_error_answer_has_the_id_too(written, client):
    answer = client.get("/nowhere")
    assert {line["request_id"] for line in written.by("django.request")} == {answer["X-Request-ID"]}
    assert log_context.fields() == {}, "the request is over"


@pytest.mark.django_db
def test_the_key_in_an_address_is_in_no_line(written, client, local_accounts):
    for method in (client.get, Client(enforce_csrf_checks=True).post):
        method("/accounts/invitation/the-key-that-lets-somebody-in/")
    assert written.by("portal.access")
    assert "the-key-that-lets" not in written.text.getvalue()


def broken(request):
    raise RuntimeError("Bearer hunter2hunter2")


class Broken:
    urlpatterns = (*urls.urlpatterns, path("broken", broken))
    handler500 = urls.handler500


@pytest.mark.django_db
def test_the_page_for_what_broke_says_the_id_to_look_for(written, settings, dana):
    settings.ROOT_URLCONF = Broken
    client = Client(raise_request_exception=False)
    client.force_login(dana)
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert answer["X-Request-ID"] in answer.content.decode()
    line = next(line for line in written.by("django.request") if "exception" in line)
    assert line["request_id"] == answer["X-Request-ID"]
    assert "RuntimeError: Bearer …" in line["exception"]
    assert "hunter2" not in written.text.getvalue()


# The task


@pytest.mark.django_db
def test_a_message_carries_the_ids_of_its_request_and_a_task_says_them():
    headers: dict[str, str] = {}
    with log_context.bound(request_id="abcdefgh-1", user="7"):
        task_logs.write_headers(headers=headers)
    tasks.sweep.push_request(id="task-1", **headers)
    try:
        task_logs.enter(task_id="task-1", task=tasks.sweep)
        assert log_context.fields() == {
            "request_id": "abcdefgh-1",
            "user": "7",
            "task": "environments.sweep",
            "task_id": "task-1",
        }
        task_logs.leave(task_id="task-1")
    finally:
        tasks.sweep.pop_request()
    assert log_context.fields() == {}


@pytest.mark.django_db
def test_what_the_scheduler_sends_begins_a_chain_of_its_own(written):
    tasks.sweep.apply(task_id="0123456789")
    assert log_context.fields() == {}
    assert {line["request_id"] for line in written.lines if line.get("task_id")} == {"0123456789"}


@pytest.mark.django_db
def test_every_line_of_a_reconcile_says_environment_and_step(written, ask, simulated, caplog):
    environment = ask()
    caplog.set_level(logging.DEBUG, "urllib3")
    simulated.faults.add(method="PATCH", path_regex="/resourcequotas/", status=503, times=1)
    with log_context.bound(request_id="abcdefgh-1"):
        assert settle(environment).phase == Phase.READY
    lines = written.by("environments.reconcile.engine")
    assert lines
    assert {(line["request_id"], line["environment"]) for line in lines} == {("abcdefgh-1", str(environment.pk))}
    assert {line["step"] for line in lines} == {"Quota"}
    steps = {line["step"] for line in written.lines if line["logger"].startswith("urllib3") and "step" in line}
    assert {"Namespace", "Quota", "RoleBinding", "Access"} <= steps, "the threads of a pool say it too"


# Secrets


TOKEN = "hunter2.token-of-the-cluster"
SECRET = "hunter2/secret-of-the-directory"


class Quoting(BaseHTTPRequestHandler):
    """Answers everything with an error that quotes the request's credential."""

    status = 403

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        words = f"{self.headers['Authorization']} may not"
        body = json.dumps({"kind": "Status", "message": words, "reason": "Forbidden", "detail": words}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def quoting():
    with ThreadingHTTPServer(("127.0.0.1", 0), Quoting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.django_db
def test_no_failure_of_provisioning_writes_a_secret(written, ask, quoting, simulated, place, local_directory):
    """Both are away, refuse, break, and quote the credential back; and the cluster's is no header at all."""
    environments = []
    for number, (server, status, credential) in enumerate(
        [
            ("http://127.0.0.1:9", 0, TOKEN),
            (quoting, 401, TOKEN),
            (quoting, 403, TOKEN),
            (quoting, 422, TOKEN),
            (quoting, 500, TOKEN),
            (quoting, 200, TOKEN),
            (simulated.url, 0, f"{TOKEN}\nsecond-line"),
        ]
    ):
        Quoting.status = status
        place.server, place.credential = server, credential
        place.save()
        local_directory.kind, local_directory.url, local_directory.secret = "scim", server, SECRET
        local_directory.save()
        environments.append(ask(f"fails {number}"))
        before = len(written.lines)
        assert settle(environments[-1], tries=2).phase != Phase.READY
        assert len(written.lines) > before
    assert "hunter2" not in written.text.getvalue()
    assert "second-line" not in written.text.getvalue()
    shown = [text for row in environments for text in row.conditions.values_list("message", flat=True)]
    shown += [text for row in environments for text in row.events.values_list("message", flat=True)]
    assert any("may not" in text for text in shown), "the server was heard"
    assert not [text for text in shown if "hunter2" in text]
