"""Okta's own ways: two sorts of tokens, links in headers, a search that is behind, a rate limit with a clock."""

import json
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import RSAAlgorithm

from environments.directory.okta import signed
from environments.lib.errors import PermanentError, TemporaryError
from tests.environments.directory.asking import KEY, reason, who
from tests.environments.directory.fakes.okta import FakeOkta


@pytest.fixture
def fake() -> FakeOkta:
    made = FakeOkta()
    made.person("dana")
    return made


@pytest.fixture(scope="module")
def private() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def as_pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def as_jwk(key: RSAPrivateKey) -> str:
    return json.dumps(RSAAlgorithm.to_jwk(key, as_dict=True) | {"kid": "key-1", "use": "sig"})


class TestTokens:
    def test_an_api_token_is_sent_as_okta_wants_it_and_cannot_be_renewed(self, fake: FakeOkta) -> None:
        fake.client().check()
        assert fake.calls[-1].headers["Authorization"] == "SSWS t0p-s3cret"
        before = len(fake.calls)
        assert reason(fake.client(secret="wrong").check) == "TemporaryError Unauthorized"
        assert (len(fake.calls), fake.tokens) == (before + 1, [])

    @pytest.mark.parametrize("form", [as_pem, as_jwk])
    def test_a_service_app_signs_for_its_tokens(self, fake: FakeOkta, private: RSAPrivateKey, form: object) -> None:
        fake.key = private.public_key()
        client = fake.client(secret=form(private))  # type: ignore[operator]
        assert who(client, "dana").id == "id-dana"
        assert fake.calls[-1].headers["Authorization"] == "Bearer token1"
        fake.valid.clear()
        assert who(client, "dana").id == "id-dana"
        assert fake.tokens == ["token1", "token2"]

    def test_the_name_of_the_key_goes_with_the_signature(self, private: RSAPrivateKey) -> None:
        assert jwt.get_unverified_header(signed("c", as_jwk(private), "https://t"))["kid"] == "key-1"
        assert "kid" not in jwt.get_unverified_header(signed("c", as_pem(private), "https://t"))

    @pytest.mark.parametrize("secret", ["n0-key", "{}", '{"kty": "RSA"}', "{", "-----BEGIN PRIVATE KEY-----\nn0-key"])
    def test_a_secret_that_is_no_key_is_an_error_without_it(
        self, fake: FakeOkta, private: RSAPrivateKey, secret: str
    ) -> None:
        fake.key = private.public_key()
        with pytest.raises(PermanentError) as caught:
            fake.client(secret=secret).check()
        assert caught.value.reason == "BadKey"
        assert "n0-key" not in str(caught.value)


class TestSearch:
    def test_a_group_that_the_search_does_not_show_yet_is_not_made_twice(self, fake: FakeOkta) -> None:
        fake.lag = 3
        client = fake.client()
        dana = who(client, "dana")
        group = client.create_group(KEY, dana)
        assert client.find_group(KEY) is None
        with pytest.raises(TemporaryError) as caught:
            client.create_group(KEY, dana)  # looks, makes, looks again
        assert (caught.value.reason, caught.value.retry_after) == ("Conflict", 5)
        assert client.create_group(KEY, dana) == group
        assert len(fake.groups) == 1

    def test_a_group_that_an_application_imports_is_not_ours(self, fake: FakeOkta) -> None:
        fake.group(KEY.name, type="APP_GROUP", description=f"[{KEY.environment_id}]")
        client = fake.client()
        assert reason(lambda: client.create_group(KEY, who(client, "dana"))) == "PermanentError NotOurs"

    def test_the_environments_id_ends_the_description(self, fake: FakeOkta) -> None:
        client = fake.client()
        group = client.create_group(KEY, who(client, "dana"))
        assert fake.groups[group].more["description"] == (
            "admin of namespace dana-shop-x7k2p [6f1c0a52-0000-0000-0000-000000000001]"
        )

    @pytest.mark.parametrize(
        ("status", "active"),
        [
            ("ACTIVE", True),
            ("PROVISIONED", True),
            ("LOCKED_OUT", True),
            ("PASSWORD_EXPIRED", True),
            ("SUSPENDED", False),
            ("DEPROVISIONED", False),
        ],
    )
    def test_who_may_still_sign_in_is_active(self, fake: FakeOkta, status: str, active: bool) -> None:
        def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            return httpx.Response(200, json=[user | {"status": status} for user in response.json()])

        fake.tamper = change
        assert who(fake.client(), "dana").active is active


class TestPages:
    @pytest.fixture
    def group(self, fake: FakeOkta) -> str:
        client = fake.client()
        made = client.create_group(KEY, who(client, "dana"))
        fake.join(made, 3)
        return made

    @staticmethod
    def linking_to(fake: FakeOkta, url: str) -> None:
        fake.tamper = lambda request, response: httpx.Response(
            200, json=response.json(), headers={"Link": f'<{url}>; rel="next"'}
        )

    @pytest.mark.parametrize(
        "url", ["https://evil.example/api", "http://acme.okta.com/api", "https://acme.okta.com:8443/", "//evil", "x:"]
    )
    def test_the_token_follows_no_link_to_another_server(self, fake: FakeOkta, group: str, url: str) -> None:
        self.linking_to(fake, url)
        before = len(fake.calls)
        assert reason(lambda: fake.client().members(group)) in (
            "TemporaryError BadAnswer",
            "TemporaryError Unreachable",
        )
        assert [call.url.host for call in fake.calls[before:]] == ["acme.okta.com"] * (len(fake.calls) - before)

    def test_pages_that_go_in_a_circle_are_no_answer(self, fake: FakeOkta, group: str) -> None:
        self.linking_to(fake, f"https://acme.okta.com/api/v1/groups/{group}/users?after=c0")
        assert reason(lambda: fake.client().members(group)) == "TemporaryError PartialAnswer"

    def test_a_list_without_end_is_given_up(self, fake: FakeOkta, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("environments.directory.answers.MAX_PAGES", 3)
        fake.page_size = 1
        assert reason(lambda: fake.client().members(group)) == "PermanentError TooManyPages"


class TestLimits:
    def limited(self, fake: FakeOkta, **headers: str) -> float | None:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        fake.fail(429, detail="API call exceeded rate limit due to too many requests.", headers=sent)
        with pytest.raises(TemporaryError) as caught:
            fake.client().check()
        assert caught.value.reason == "TooManyRequests"
        return caught.value.retry_after

    def test_the_reset_is_counted_from_the_servers_own_clock(self, fake: FakeOkta) -> None:
        date = format_datetime(datetime(2021, 1, 1, tzinfo=UTC), usegmt=True)
        assert self.limited(fake, X_Rate_Limit_Reset=str(1609459200 + 42), Date=date) == 42

    def test_without_a_date_from_ours(self, fake: FakeOkta) -> None:
        reset = datetime.now(UTC).timestamp() + 30
        assert self.limited(fake, X_Rate_Limit_Reset=f"{reset:.0f}") == pytest.approx(30, abs=3)

    @pytest.mark.parametrize(("reset", "expected"), [("1", 0), ("9999999999", 3600), ("soon", None)])
    def test_an_odd_reset_does_no_harm(self, fake: FakeOkta, reset: str, expected: float | None) -> None:
        assert self.limited(fake, X_Rate_Limit_Reset=reset) == expected


def test_the_causes_of_an_error_are_told(fake: FakeOkta) -> None:
    body = {"errorCode": "E0000001", "errorSummary": "Api validation failed", "errorCauses": [{"errorSummary": "why"}]}
    fake.tamper = lambda request, response: httpx.Response(400, json=body)
    with pytest.raises(PermanentError) as caught:
        fake.client().check()
    assert caught.value.message == "The directory rejected the request (400): Api validation failed; why"
