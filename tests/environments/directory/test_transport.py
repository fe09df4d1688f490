"""HTTP under the SCIM client: every failure is one of the two errors, and no secret leaves."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from environments.directory.scim import DIALECT
from environments.directory.transport import MAX_BYTES, Http
from environments.lib.errors import PermanentError, TemporaryError
from tests.environments.directory.fake import BASE, DANA, THEO, TOKEN_URL, FakeServer, error, reason, server, with_group


def statuses() -> list[Any]:
    return [
        (400, "PermanentError Refused"),
        (401, "TemporaryError Unauthorized"),
        (403, "TemporaryError Unauthorized"),
        (404, "PermanentError GroupGone"),
        (409, "ConflictError Conflict"),
        (412, "ConflictError Conflict"),
        (413, "PermanentError Refused"),
        (429, "TemporaryError TooManyRequests"),
        (500, "FaultError Unavailable"),
        (501, "PermanentError Refused"),
        (503, "TemporaryError Unavailable"),
        (302, "PermanentError Redirected"),
    ]


class TestErrors:
    @pytest.mark.parametrize(("status", "expected"), statuses())
    def test_every_status_is_one_of_the_two_errors(self, status: int, expected: str) -> None:
        fake = with_group(server())
        fake.tamper = lambda request, response: error(status, "because") if "/Groups/" in request.url.path else response
        assert reason(lambda: fake.client().members("g1")) == expected

    def test_the_detail_of_a_refusal_is_shown_and_no_secret_in_it(self) -> None:
        fake = with_group(server())
        fake.tamper = lambda request, response: error(400, f"bad header {request.headers['Authorization']}")
        with pytest.raises(PermanentError) as caught:
            fake.client("t0p-s3cret").delete_group("g1")
        assert str(caught.value) == "The directory rejected the request (400): bad header Bearer …"
        assert "t0p-s3cret" not in caught.value.message

    @pytest.mark.parametrize(
        ("header", "expected"),
        [("7", 7), ("0", 0), ("-3", 0), ("999999", 3600), ("soon", None), ("", None), ("nan", None), ("1e99", None)],
    )
    def test_retry_after_in_seconds_is_heeded_within_reason(self, header: str, expected: float | None) -> None:
        fake = server()
        fake.tamper = lambda request, response: error(429, Retry_After=header)
        with pytest.raises(TemporaryError) as caught:
            fake.client().find_person(DANA.email)
        assert caught.value.retry_after == expected

    def test_retry_after_as_a_date_is_heeded(self) -> None:
        fake = server()
        when = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
        fake.tamper = lambda request, response: error(503, Retry_After=when)
        with pytest.raises(TemporaryError) as caught:
            fake.client().find_person(DANA.email)
        assert caught.value.retry_after == pytest.approx(90, abs=5)

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (httpx.ReadTimeout("s3cret"), "Timeout"),
            (httpx.ConnectTimeout("s3cret"), "Timeout"),
            (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), "BadCertificate"),
            (httpx.ConnectError("s3cret"), "Unreachable"),
            (httpx.RemoteProtocolError("s3cret"), "Unreachable"),
        ],
    )
    def test_a_call_without_an_answer_may_be_repeated(self, fault: Exception, expected: str) -> None:
        fake = server()

        def fail(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            raise fault

        fake.tamper = fail
        with pytest.raises(TemporaryError) as caught:
            fake.client().find_person(DANA.email)
        assert caught.value.reason == expected
        assert "s3cret" not in str(caught.value)

    def test_a_huge_answer_is_not_read_to_its_end(self) -> None:
        fake, read = server(), []

        def endless() -> Any:
            for number in range(1000):
                read.append(number)
                yield b" " * 1024 * 1024

        fake.tamper = lambda request, response: httpx.Response(200, content=endless())
        assert reason(lambda: fake.client().find_person(DANA.email)) == "TemporaryError TooBig"
        assert len(read) <= MAX_BYTES // (1024 * 1024) + 1

    def test_an_answer_that_trickles_in_has_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("environments.directory.transport.MAX_SECONDS", 0.05)

        def trickle() -> Any:
            for _ in range(100):
                time.sleep(0.01)
                yield b" "

        fake = server()
        fake.tamper = lambda request, response: httpx.Response(200, content=trickle())
        assert reason(lambda: fake.client().find_person(DANA.email)) == "TemporaryError Timeout"

    def test_the_token_does_not_follow_a_redirect(self) -> None:
        fake = server()
        fake.tamper = lambda request, response: httpx.Response(307, headers={"Location": "https://evil.example/"})
        assert reason(lambda: fake.client().delete_group("g1")) == "PermanentError Redirected"
        assert len(fake.calls) == 1

    def test_a_temporary_fault_at_the_configuration_is_not_remembered(self) -> None:
        fake = server()
        client = fake.client()
        fake.tamper = lambda request, response: error(503)
        assert reason(lambda: client.find_person(DANA.email)) == "TemporaryError Unavailable"
        fake.tamper = None
        assert client.find_person(DANA.email) == DANA
        assert "filter" in fake.calls[-1][2], "the server's abilities were asked again"


class TestTokens:
    """Client credentials (RFC 6749 §4.4)."""

    @pytest.fixture
    def fake(self) -> FakeServer:
        fake, issued = server(), []

        def answer(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if str(request.url) == TOKEN_URL:
                issued.append(f"token{len(issued) + 1}")
                return httpx.Response(200, json={"access_token": issued[-1], "expires_in": "3600"})
            return response

        fake.tamper = answer
        return fake

    def tokens_fetched(self, fake: FakeServer) -> int:
        return len([call for call in fake.calls if call[1] == "/token"])

    def test_one_token_serves_many_calls(self, fake: FakeServer) -> None:
        client = fake.client("secret", TOKEN_URL, "portal")
        client.find_person(DANA.email)
        client.find_person(THEO.email)
        assert self.tokens_fetched(fake) == 1
        assert fake.headers[-1]["Authorization"] == "Bearer token1"

    def test_a_refused_token_is_renewed_once(self, fake: FakeServer) -> None:
        answer = fake.tamper
        assert answer

        def refuse_the_first(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            refused = request.headers["Authorization"] == "Bearer token1"
            return error(401) if refused else answer(request, response)

        fake.tamper = refuse_the_first
        assert fake.client("secret", TOKEN_URL, "portal").find_person(DANA.email) == DANA
        assert self.tokens_fetched(fake) == 2

    def test_a_token_that_is_refused_again_is_an_error(self, fake: FakeServer) -> None:
        answer = fake.tamper
        assert answer
        fake.tamper = lambda request, response: (
            answer(request, response) if str(request.url) == TOKEN_URL else error(401, "no")
        )
        client = fake.client("secret", TOKEN_URL, "portal")
        assert reason(lambda: client.find_person(DANA.email)) == "TemporaryError Unauthorized"
        assert self.tokens_fetched(fake) == 2

    def test_a_token_is_renewed_before_it_expires(self, fake: FakeServer) -> None:
        row = SimpleNamespace(url=BASE, token_url=TOKEN_URL, client_id="portal", secret="secret")
        now = [0.0]
        http = Http(row, DIALECT, httpx.MockTransport(fake), clock=lambda: now[0])
        http.request("GET", "/Users")
        now[0] = 3600 - 31
        http.request("GET", "/Users")
        assert self.tokens_fetched(fake) == 1
        now[0] = 3600 - 30
        http.request("GET", "/Users")
        assert self.tokens_fetched(fake) == 2

    def test_a_token_endpoint_may_want_the_secret_in_the_body(self, fake: FakeServer) -> None:
        answer, bodies = fake.tamper, []
        assert answer

        def only_in_the_body(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if str(request.url) == TOKEN_URL and b"client_secret" not in request.content:
                return httpx.Response(401, json={"error": "invalid_client"})
            bodies.append(request.content)
            return answer(request, response)

        fake.tamper = only_in_the_body
        assert fake.client("s&cret", TOKEN_URL, "portal").find_person(DANA.email) == DANA
        assert bodies[0] == b"grant_type=client_credentials&client_id=portal&client_secret=s%26cret"

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (httpx.Response(401, json={"error": "invalid_client"}), "Unauthorized"),
            (httpx.Response(400, json={"error": "invalid_client"}), "Unauthorized"),
            (httpx.Response(500, text="oops"), "Unavailable"),
            (httpx.Response(200, text="<html>"), "BadAnswer"),
            (httpx.Response(200, json={"access_token": None}), "BadAnswer"),
            (httpx.Response(200, json=[]), "BadAnswer"),
        ],
    )
    def test_a_token_endpoint_that_gives_none_is_an_error(
        self, fake: FakeServer, answer: httpx.Response, expected: str
    ) -> None:
        fake.tamper = lambda request, response: answer
        with pytest.raises(TemporaryError) as caught:
            fake.client("t0p-s3cret", TOKEN_URL, "portal").find_person(DANA.email)
        assert caught.value.reason == expected
        assert "t0p-s3cret" not in str(caught.value)
