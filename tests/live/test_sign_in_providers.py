"""Signing in and out with four real providers (tests/live/providers/).

Each test runs with each provider. Where providers differ, the test asserts what the provider's class says of it.
"""

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from pytest_django.fixtures import Settings

from environments.models import Team, User
from portal import providers
from portal.sign_in_check import BAD, OK, WARN, check
from tests.live.providers import servers, table
from tests.live.providers.journeys import (
    Running,
    arrive,
    configure,
    discovery,
    id_token,
    logged,
    logout_tokens,
    sentence,
    sign_in,
)
from tests.live.providers.servers import BASIC, KEY, POST, Client, Provider
from tests.live.providers.visits import QUESTION, SIGN_IN, visit
from tests.portal.browser import Browser
from tests.services import ROOT

BACK_CHANNEL = "/accounts/oidc/sso/backchannel-logout/"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = Running(tmp_path_factory)
    yield found
    found.stop()


def name_of(kind: type[Provider]) -> str:
    return kind.name


@pytest.fixture(params=servers.ALL, ids=name_of)
def provider(request: pytest.FixtureRequest, running: Running, settings: Settings) -> Provider:
    found: Provider = running.get(request.param)
    configure(settings, found)
    return found


@pytest.fixture
def person() -> Iterator[httpx.Client]:
    """The browser's other half: its cookies at the provider."""
    with httpx.Client(timeout=30) as client:
        yield client


@pytest.mark.django_db
def test_the_first_sign_in_makes_the_account_of_provider_issuer_and_subject(
    provider: Provider, person: httpx.Client
) -> None:
    browser, _, seen = arrive(person, "dana")

    user = User.objects.get()
    assert browser.user_id == user.pk
    assert (user.username, user.email, user.get_full_name()) == ("dana", "dana@example.com", "Dana Developer")
    assert (user.provider, user.issuer, user.subject) == ("sso", provider.issuer, provider.subject("dana"))
    assert seen.pages == [SIGN_IN, QUESTION]
    assert ("iss" in parse_qs(urlsplit(seen.path).query)) == provider.names_issuer


@pytest.mark.django_db
def test_a_later_sign_in_from_another_browser_is_the_same_person(provider: Provider, person: httpx.Client) -> None:
    sign_in(person, "dana")
    with httpx.Client(timeout=30) as elsewhere:
        assert sign_in(elsewhere, "dana").user_id == User.objects.get().pk
        assert sign_in(elsewhere, "dana").user_id == User.objects.get().pk, "without a password: still signed in there"


@pytest.mark.django_db
def test_everyone_is_a_person_of_their_own(provider: Provider, person: httpx.Client) -> None:
    ids = set()
    for name in ("dana", "theo", "sam"):
        with httpx.Client(timeout=30) as browser:
            ids.add(sign_in(browser, name).user_id)
    assert len(ids) == User.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["dana", "theo", "sam"])
def test_an_address_counts_as_far_as_the_provider_vouches_for_it(
    provider: Provider, person: httpx.Client, settings: Settings, name: str
) -> None:
    said = provider.verified[name]
    sign_in(person, name)
    assert User.objects.get().email_trusted == (said is True)

    User.objects.all().delete()
    settings.OIDC_EMAILS = "unless_unverified"
    sign_in(person, name)
    assert User.objects.get().email_trusted == (said is not False)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["dana", "theo", "sam"])
def test_an_account_made_beforehand_is_taken_over_by_a_verified_address_only(
    provider: Provider, person: httpx.Client, name: str
) -> None:
    seeded = User.objects.create(username="seeded", email=f"{name}@example.com")
    browser, response, _ = arrive(person, name)
    if provider.verified[name]:
        assert browser.user_id == seeded.pk
    else:
        assert browser.user_id is None
        assert sentence(response, 403).startswith(
            f"An account with the email address {name}@example.com already exists"
        )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "role", "teams", "managed"),
    [
        ("dana", "Developer", ["Checkout"], []),
        ("max", "Manager", ["Checkout"], ["Checkout"]),
        ("ada", "Platform admin", [], []),
    ],
)
def test_groups_give_roles_and_teams(
    provider: Provider, person: httpx.Client, name: str, role: str, teams: list[str], managed: list[str]
) -> None:
    Team.objects.create(name="Checkout", group="team-checkout", manager_group="team-checkout-managers")
    sign_in(person, name)
    user = User.objects.get()
    assert (user.role_name, user.groups_problem) == (role, "")
    assert [team.name for team in user.teams.all()] == teams
    assert [team.name for team in user.managed_teams.all()] == managed


@pytest.mark.django_db
def test_without_the_scope_of_the_groups_nobody_has_a_role_and_the_page_says_why(
    provider: Provider, person: httpx.Client, settings: Settings
) -> None:
    configure(settings, provider, scope=["openid", "profile", "email"])
    sign_in(person, "ada")
    user = User.objects.get()
    assert user.role_name == "Developer"
    assert user.groups_problem.startswith("Your identity provider did not send the claim groups.")


@pytest.mark.django_db
def test_a_scope_that_the_provider_does_not_know(
    provider: Provider, person: httpx.Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    configure(settings, provider, scope=["openid", "profile", "email", "groups", "entitlements"])
    browser, response, seen = arrive(person, "dana")
    assert parse_qs(urlsplit(seen.path).query).get("error", [""]) == [provider.unknown_scope]
    assert (browser.user_id is None) == bool(provider.unknown_scope)
    if provider.unknown_scope:
        assert "(invalid_scope)" in sentence(response, 503)
        assert logged(caplog) == {"kind": "scope", "code": "invalid_scope", "host": urlsplit(provider.issuer).netloc}


@pytest.mark.django_db
def test_by_default_only_scopes_that_the_provider_has_are_requested(
    provider: Provider, person: httpx.Client, settings: Settings
) -> None:
    configure(settings, provider, scope=[])
    sign_in(person, "ada")
    assert User.objects.get().role_name == "Platform admin"


@pytest.mark.django_db
def test_by_default_a_provider_without_the_scope_groups_lets_people_in(
    running: Running, person: httpx.Client, settings: Settings
) -> None:
    configure(settings, running.get(servers.OAuthToolkitWithoutGroups), scope=[])
    sign_in(person, "dana")
    assert User.objects.get().groups_problem.startswith("Your identity provider did not send the claim groups.")


@pytest.mark.django_db
@pytest.mark.parametrize("issuer", ["{}".format, "{}/".format], ids=["without", "with"])
def test_a_slash_at_the_end_of_the_issuer_makes_no_difference(
    provider: Provider, person: httpx.Client, settings: Settings, issuer: Callable[[str], str]
) -> None:
    configure(settings, provider, issuer=issuer(provider.issuer.removesuffix("/")))
    sign_in(person, "dana")
    assert User.objects.get().issuer == provider.issuer, "as the provider spells it"


@pytest.mark.django_db
@pytest.mark.parametrize("chosen", ["chosen", ""], ids=["set", "unset"])
@pytest.mark.parametrize("method", [POST, BASIC])
@pytest.mark.parametrize("secret", ["", servers.AWKWARD], ids=["plain", "reserved"])
def test_the_portal_authenticates_with_a_secret(
    provider: Provider, person: httpx.Client, settings: Settings, method: str, chosen: str, secret: str
) -> None:
    """With reserved characters, with OIDC_CLIENT_AUTH and without, registered for one way or the other."""
    configure(settings, provider, provider.registered(method, secret), client_auth=method if chosen else "")
    browser, response, _ = arrive(person, "dana")
    if secret and chosen and method == BASIC and not provider.basic_is_encoded:
        assert "(invalid_client)" in sentence(response, 503)
    else:
        assert browser.user_id, response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("provider", [kind for kind in servers.ALL if KEY in kind.methods], ids=name_of, indirect=True)
def test_the_portal_authenticates_with_a_key(provider: Provider, person: httpx.Client, settings: Settings) -> None:
    key = provider.client_key
    configure(
        settings,
        provider,
        Client(provider.registered(KEY).id, ""),
        client_auth=KEY,
        client_key=key.as_pem(private=True).decode(),
        client_key_id=key.kid,
        client_key_algorithm="RS256",
    )
    sign_in(person, "dana")


@pytest.mark.django_db
@pytest.mark.parametrize("method", [POST, BASIC])
def test_a_wrong_secret_lets_nobody_in(
    provider: Provider, person: httpx.Client, settings: Settings, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    wrong = Client(provider.registered(method).id, "wrong")
    configure(settings, provider, wrong, client_auth=method)
    browser, response, _ = arrive(person, "dana")
    assert browser.user_id is None
    assert "(invalid_client)" in sentence(response, 503)
    assert logged(caplog) == {"kind": "client", "code": "invalid_client", "host": urlsplit(provider.issuer).netloc}
    assert not User.objects.exists()

    form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": servers.CALLBACK}
    said = httpx.post(discovery(provider)["token_endpoint"], data=form, auth=(wrong.id, wrong.secret))
    assert (said.status_code, said.json()["error"]) == (provider.wrong_secret, "invalid_client")


@pytest.mark.django_db
def test_who_denies_is_told_that_they_cancelled(provider: Provider, person: httpx.Client) -> None:
    browser, response, seen = arrive(person, "dana", agree=False)
    assert parse_qs(urlsplit(seen.path).query)["error"] == ["access_denied"]
    assert sentence(response, 403) == "You cancelled the sign-in, or the identity provider does not let you in."
    assert browser.user_id is None
    assert not User.objects.exists()


@pytest.mark.django_db
def test_sign_out_ends_the_session_at_the_provider_and_comes_back(provider: Provider, person: httpx.Client) -> None:
    browser = sign_in(person, "dana")
    _, _, seen = arrive(person, "dana")
    assert SIGN_IN not in seen.pages, "still signed in there"

    out = browser.post("/accounts/logout/")
    seen = visit(person, out["Location"], "dana")

    assert seen.path == "/accounts/signed-out/"
    assert seen.pages == ([QUESTION] if provider.asks_before_sign_out else [])
    assert browser.user_id is None
    _, _, seen = arrive(person, "dana")
    assert SIGN_IN in seen.pages, "the provider asks who it is again"


@pytest.mark.django_db
def test_a_new_key_of_the_provider_stops_nobody(provider: Provider, person: httpx.Client) -> None:
    browser, before = sign_in(person, "dana"), id_token(provider, person, "dana", provider.client)
    provider.change_keys()
    with httpx.Client(timeout=30) as elsewhere:
        assert sign_in(elsewhere, "dana").user_id == browser.user_id
        after = id_token(provider, elsewhere, "dana", provider.client)
    assert before["header"]["kid"] != after["header"]["kid"]


@pytest.mark.django_db
def test_a_member_of_250_groups_signs_in_and_out(provider: Provider, person: httpx.Client) -> None:
    Team.objects.create(name="The last one", group=servers.CROWD[-1])
    browser = sign_in(person, "sam")
    assert [team.name for team in User.objects.get().teams.all()] == ["The last one"]

    out = browser.post("/accounts/logout/")["Location"]

    assert len(out) < 4500, "proxies take it"
    assert visit(person, out, "sam").path == "/accounts/signed-out/"
    _, _, seen = arrive(person, "sam")
    assert SIGN_IN in seen.pages


@pytest.mark.django_db
def test_a_provider_that_needs_the_long_token_keeps_people_on_its_own_page(
    running: Running, person: httpx.Client, settings: Settings
) -> None:
    provider = running.get(servers.DjangoOIDCProviderWithClaims)
    configure(settings, provider)
    assert len(id_token(provider, person, "sam", provider.client)["groups"]) > 250
    browser = sign_in(person, "sam")

    seen = visit(person, browser.post("/accounts/logout/")["Location"], "sam")

    assert (seen.path, seen.pages, seen.text) == ("", [QUESTION], "End Session Completed You've been logged out.")
    assert browser.user_id is None
    _, _, seen = arrive(person, "sam")
    assert SIGN_IN in seen.pages


@pytest.mark.django_db
@pytest.mark.parametrize("index", [0, 1], ids=["by-subject", "by-session"])
def test_a_session_that_ends_at_the_provider_ends_here(
    running: Running, person: httpx.Client, settings: Settings, index: int
) -> None:
    provider = running.get(servers.NodeOIDCProvider)
    configure(settings, provider, provider.told[index])
    here = sign_in(person, "dana")
    with httpx.Client(timeout=30) as elsewhere:
        other = sign_in(elsewhere, "dana")
        token = ended_at(provider, person)

    for status in (200, 400):  # a token is good once
        told = Browser().post(BACK_CHANNEL, {"logout_token": token})
        assert told.status_code == status, told.content

    assert not here.session.keys()
    assert bool(other.session.keys()) == (index == 1), "a token without a session means all of the person's"


@pytest.mark.django_db
def test_a_session_ends_also_after_the_provider_has_a_new_key(running: Running, settings: Settings) -> None:
    provider = running.get(servers.NodeOIDCProvider)
    configure(settings, provider, provider.told[1])
    for _ in range(2):
        with httpx.Client(timeout=30) as person:
            browser = sign_in(person, "dana")
            token = ended_at(provider, person)
        assert Browser().post(BACK_CHANNEL, {"logout_token": token}).status_code == 200
        assert not browser.session.keys()
        provider.change_keys()


def ended_at(provider: servers.NodeOIDCProvider, person: httpx.Client) -> str:
    """The logout token that the provider sends when a person signs out there."""
    query = urlencode({"client_id": provider.client.id, "post_logout_redirect_uri": servers.SIGNED_OUT})
    with logout_tokens(provider.logout_port) as tokens:
        visit(person, f"{discovery(provider)['end_session_endpoint']}?{query}", "dana")
    assert len(tokens) == 1
    return tokens[0]


@pytest.mark.django_db
def test_id_tokens_signed_with_another_algorithm(running: Running, person: httpx.Client, settings: Settings) -> None:
    provider = running.get(servers.NodeOIDCProvider)
    configure(settings, provider, provider.elliptic)
    assert id_token(provider, person, "dana", provider.elliptic)["header"]["alg"] == "ES256"
    sign_in(person, "dana")


def test_the_provider_is_as_its_class_says(provider: Provider, person: httpx.Client) -> None:
    said = discovery(provider)
    assert provider.methods == tuple(
        method for method in (POST, BASIC, KEY) if method in said["token_endpoint_auth_methods_supported"]
    )
    assert said.get("backchannel_logout_supported", False) == provider.back_channel
    assert said.get("authorization_response_iss_parameter_supported", False) == provider.names_issuer
    token = id_token(provider, person, "dana", provider.client)
    assert token["sub"] == provider.subject("dana")
    assert (token.get("email"), token.get("groups")) == (
        ("dana@example.com", ["team-checkout"]) if provider.claims_in_id_token else (None, None)
    )


def test_the_documentation_has_the_table() -> None:
    document = (ROOT / "docs" / "identity-providers.md").read_text()
    assert table.markdown() in document, "python -m tests.live.providers.table prints it"


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong-secret"])
def test_check_sign_in(provider: Provider, settings: Settings, wrong: bool) -> None:
    """Without a person, and with the defaults for scopes and client authentication."""
    client = Client(provider.client.id, "wrong") if wrong else provider.client
    configure(settings, provider, client, scope=[], client_auth="")
    tones = {finding.what: finding.tone for finding in check(providers.configured()[0])}
    assert tones == {
        "Discovery document": OK,
        "Clock": OK,
        "Keys": OK,
        "Scopes": OK if provider.lists_scopes else WARN,
        "Client": BAD if wrong else OK,
        "Authorization": OK if provider.answers_without_a_page else WARN,
        "Sign-out": OK,
        "Back-channel logout": OK if provider.back_channel else WARN,
    }
