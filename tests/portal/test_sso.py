"""Signing in and out: whose account it is, what a provider may say, and what happens when it says something odd."""

from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from bs4 import BeautifulSoup
from django.conf import settings as django_settings
from django.test import Client
from django.urls import NoReverseMatch, reverse
from pytest_django.fixtures import Settings

from environments.models import Team, User
from tests.portal.browser import Browser, use_issuer
from tests.portal.provider import FakeProvider

CALLBACK = "/accounts/oidc/sso/login/callback/"


def main(response: Any) -> Any:
    """The page without its frame."""
    return BeautifulSoup(response.content, "html.parser").select_one("main")


def refused(response: Any, *words: str) -> bool:
    """The page with a sentence and a button, and nobody signed in."""
    page = main(response)
    assert response.status_code in (400, 403, 503), response.status_code
    assert page.select_one("h1").get_text() == "Sign-in failed"
    assert page.select_one("a")["href"] == "/accounts/login/"
    assert all(word in page.select_one("[role=alert]").get_text() for word in words), page
    return "_auth_user_id" not in response.client.session


class TestTheFirstSignIn:
    def test_makes_the_account_without_any_page(self, browser: Browser, provider: FakeProvider) -> None:
        provider.claims |= {"given_name": "Dana", "family_name": "Developer", "email": "Dana@Example.com"}
        response = browser.sign_in(provider)

        user = User.objects.get()
        assert (response.status_code, response["Location"]) == (302, reverse(django_settings.LOGIN_REDIRECT_URL))
        assert (user.username, user.email, user.get_full_name()) == ("dana", "dana@example.com", "Dana Developer")
        assert not user.has_usable_password()
        assert browser.user_id == user.pk

    def test_gives_the_roles_of_the_claim(self, browser: Browser, provider: FakeProvider) -> None:
        team = Team.objects.create(name="Checkout", group="team-checkout")
        provider.claims["groups"] = ["team-checkout", "platform-admins"]
        browser.sign_in(provider)

        user = User.objects.get()
        assert (user.is_superuser, user.is_manager, list(user.teams.all())) == (True, False, [team])

    def test_takes_the_claim_from_the_id_token_where_userinfo_has_none(
        self, browser: Browser, provider: FakeProvider
    ) -> None:
        provider.userinfo = {"sub": "dana"}
        provider.id_token = {"groups": "managers"}
        browser.sign_in(provider)
        assert User.objects.get().is_manager

    def test_reads_the_claim_that_the_settings_name(
        self, browser: Browser, provider: FakeProvider, settings: Settings
    ) -> None:
        settings.GROUPS_CLAIM = "https://example.com/roles"
        provider.claims |= {"groups": ["platform-admins"], "https://example.com/roles": ["managers"]}
        browser.sign_in(provider)
        user = User.objects.get()
        assert (user.is_superuser, user.is_manager) == (False, True)

    @pytest.mark.parametrize("email", [None, "", "dana", 7, ["dana@example.com"], "x" * 250 + "@example.com"])
    def test_needs_an_address(self, browser: Browser, provider: FakeProvider, email: Any) -> None:
        provider.claims["email"] = email
        assert refused(browser.sign_in(provider), "email address")
        assert not User.objects.exists()

    def test_works_with_nothing_but_an_address(self, browser: Browser, provider: FakeProvider) -> None:
        provider.claims = {"sub": "4711", "email": "dana@example.com", "name": "Dana van Developer"}
        browser.sign_in(provider)
        user = User.objects.get()
        assert (user.username, user.first_name, user.last_name) == ("dana@example.com", "Dana", "van Developer")

    def test_finds_another_user_name_where_it_is_taken(self, browser: Browser, provider: FakeProvider) -> None:
        User.objects.create(username="Dana", email="other@example.com")
        browser.sign_in(provider)
        assert User.objects.get(email="dana@example.com").username == "dana@example.com"


class TestALaterSignIn:
    def test_finds_the_account_by_subject_and_follows_the_claims(
        self, browser: Browser, provider: FakeProvider
    ) -> None:
        provider.claims["groups"] = ["platform-admins"]
        browser.sign_in(provider)
        provider.claims = {
            "sub": "dana",
            "email": "dana.married@example.com",
            "given_name": "Dana",
            "family_name": "Married",
            "preferred_username": "danam",
        }
        Browser().sign_in(provider)

        user = User.objects.get()
        assert (user.username, user.email, user.last_name) == ("danam", "dana.married@example.com", "Married")
        assert not user.is_superuser, "the claim is gone, so is the role"

    def test_keeps_the_address_where_the_new_one_is_expressly_unverified(
        self, browser: Browser, provider: FakeProvider
    ) -> None:
        browser.sign_in(provider)
        provider.claims |= {"email": "max@example.com", "email_verified": False}
        Browser().sign_in(provider)
        assert User.objects.get().email == "dana@example.com"

    def test_does_not_take_an_address_that_another_has(self, browser: Browser, provider: FakeProvider) -> None:
        browser.sign_in(provider)
        User.objects.create(username="max", email="Max@example.com")
        provider.claims |= {"email": "max@example.com", "email_verified": True}
        assert refused(Browser().sign_in(provider), "belongs to another account")
        assert User.objects.get(username="dana").email == "dana@example.com"

    def test_is_refused_to_the_inactive(self, browser: Browser, provider: FakeProvider) -> None:
        browser.sign_in(provider)
        User.objects.update(is_active=False)
        provider.claims["groups"] = ["platform-admins"]
        assert refused(Browser().sign_in(provider), "is deactivated")
        assert not User.objects.get().is_superuser

    def test_takes_the_place_of_another_session(self, browser: Browser, provider: FakeProvider) -> None:
        query = provider.grant(browser.get("/accounts/login/").url)
        browser.force_login(User.objects.create(username="theo", email="theo@example.com"))
        browser.get(f"{CALLBACK}?{query}")
        assert browser.user_id == User.objects.get(username="dana").pk

    @pytest.mark.parametrize("subject", ["", None, 7, "x" * 192])
    def test_needs_a_subject_that_can_be_kept(self, browser: Browser, provider: FakeProvider, subject: Any) -> None:
        provider.claims["sub"] = subject
        assert refused(browser.sign_in(provider), "is not responding correctly")
        assert not User.objects.exists()

    def test_renews_the_session_key(self, browser: Browser, provider: FakeProvider) -> None:
        browser.get("/accounts/login/")
        before = browser.session.session_key
        browser.sign_in(provider)
        assert browser.session.session_key != before


class TestAnAccountMadeBeforehand:
    @pytest.fixture
    def local(self, db: None) -> User:
        return User.objects.create_superuser("root", "dana@example.com", "pass-word-1")

    @pytest.mark.parametrize("verified", [True, "true"])
    def test_is_linked_by_a_verified_address(
        self, browser: Browser, provider: FakeProvider, local: User, verified: Any
    ) -> None:
        provider.claims |= {"email": "DANA@example.com", "email_verified": verified}
        browser.sign_in(provider)
        assert browser.user_id == local.pk
        assert User.objects.count() == 1

    @pytest.mark.parametrize("verified", [None, False, "false", 1, "yes", []])
    def test_is_never_taken_over_by_another(
        self, browser: Browser, provider: FakeProvider, local: User, verified: Any
    ) -> None:
        provider.claims |= {"email_verified": verified, "groups": ["platform-admins"]}
        assert refused(browser.sign_in(provider), "dana@example.com", "platform admin")
        assert not SocialAccount.objects.exists()
        local.refresh_from_db()
        assert (local.username, local.groups_claim) == ("root", [])

    def test_is_not_shared_by_two_subjects(self, browser: Browser, provider: FakeProvider) -> None:
        browser.sign_in(provider)
        provider.claims |= {"sub": "the-next-dana", "email_verified": True}
        assert refused(Browser().sign_in(provider), "another identity", "link it to the new identity")
        assert SocialAccount.objects.count() == 1


class TestTheFlow:
    def test_goes_straight_to_the_provider_with_pkce(self, browser: Browser, provider: FakeProvider) -> None:
        query = parse_qs(urlsplit(browser.get("/accounts/login/").url).query)
        assert query["redirect_uri"] == [f"http://testserver{CALLBACK}"]
        assert query["response_type"] == ["code"]
        assert query["code_challenge_method"] == ["S256"]
        assert set(query["scope"][0].split()) == {"openid", "profile", "email", "groups"}

    def test_comes_back_to_the_page_that_was_wanted(self, browser: Browser, provider: FakeProvider) -> None:
        response = browser.sign_in(provider, "/accounts/login/?next=/environments/%3Fphase%3Dready")
        assert response["Location"] == "/environments/?phase=ready"

    @pytest.mark.parametrize(
        "url", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example", "http:///evil"]
    )
    def test_never_leads_elsewhere(self, browser: Browser, provider: FakeProvider, url: str) -> None:
        response = browser.sign_in(provider, f"/accounts/login/?next={url}")
        assert response["Location"] == reverse(django_settings.LOGIN_REDIRECT_URL)
        assert browser.get(f"/accounts/login/?next={url}")["Location"] == reverse(django_settings.LOGIN_REDIRECT_URL)

    @pytest.mark.parametrize(
        "extra", ["scope=admin", "auth_params=redirect_uri%3Dhttps://evil.example", "process=connect"]
    )
    def test_takes_no_orders_from_the_query(self, browser: Browser, provider: FakeProvider, extra: str) -> None:
        query = dict(parse_qsl(urlsplit(browser.get(f"/accounts/login/?{extra}").url).query))
        assert query["redirect_uri"] == f"http://testserver{CALLBACK}"
        assert "admin" not in query["scope"]

    def test_sends_an_htmx_region_to_the_whole_page(self, browser: Browser, provider: FakeProvider) -> None:
        response = browser.get("/accounts/login/?next=/part", headers={"HX-Request": "true"})
        assert (response.status_code, response["HX-Refresh"]) == (200, "true")

    def test_needs_the_session_it_began_in(self, browser: Browser, provider: FakeProvider) -> None:
        query = provider.grant(browser.get("/accounts/login/").url)
        assert refused(Browser().get(f"{CALLBACK}?{query}"), "another browser")

    def test_a_state_is_good_once(self, browser: Browser, provider: FakeProvider) -> None:
        query = provider.grant(browser.get("/accounts/login/").url)
        browser.get(f"{CALLBACK}?{query}")
        assert "Sign-in failed" in browser.get(f"{CALLBACK}?{query}").content.decode()

    def test_a_code_of_another_flow_is_refused(self, browser: Browser, provider: FakeProvider) -> None:
        query = provider.grant(browser.get("/accounts/login/").url)
        provider.challenges["code1"] = "of-an-attacker"
        assert refused(browser.get(f"{CALLBACK}?{query}"), "did not accept this sign-in", "Try again")

    def test_can_be_cancelled(self, browser: Browser, provider: FakeProvider) -> None:
        state = dict(parse_qsl(urlsplit(browser.get("/accounts/login/").url).query))["state"]
        assert refused(browser.get(f"{CALLBACK}?error=access_denied&state={state}"), "cancelled")

    def test_keeps_no_token_in_the_database(self, browser: Browser, provider: FakeProvider) -> None:
        browser.sign_in(provider)
        kept = str(SocialAccount.objects.get().extra_data)
        assert browser.session["sso"]["id_token"].count(".") == 2
        assert browser.session["sso"]["id_token"] not in kept
        assert "access" not in kept


DISCOVERY = "/.well-known/openid-configuration"


class TestAProviderWithFaults:
    @pytest.mark.parametrize(
        "answer", [(503, ""), (200, "<html>"), (200, []), (200, {}), (200, {"issuer": "x"}), (302, "")]
    )
    def test_that_is_down_at_the_start_gets_a_page(
        self, browser: Browser, provider: FakeProvider, answer: tuple[int, Any]
    ) -> None:
        provider.overrides[DISCOVERY] = answer
        response = browser.get("/accounts/login/")
        assert response.status_code == 503
        assert refused(response, "Your account is fine")
        del provider.overrides[DISCOVERY]
        assert browser.get("/accounts/login/").status_code == 302, "a fault is not remembered"

    def test_that_nobody_answers_for_gets_a_page(self, browser: Browser, settings: Settings) -> None:
        use_issuer(settings, "http://127.0.0.1:1")
        assert refused(browser.get("/accounts/login/"), "Your account is fine")

    @pytest.mark.parametrize("path", ["/token", "/userinfo"])
    @pytest.mark.parametrize("answer", [(500, ""), (200, "<html>"), (200, "[]"), (200, "{}"), (400, {"error": "x"})])
    def test_that_breaks_off_gets_a_page(
        self, browser: Browser, provider: FakeProvider, path: str, answer: tuple[int, Any]
    ) -> None:
        provider.overrides[path] = answer
        assert refused(browser.sign_in(provider), "is not responding correctly")
        assert not User.objects.exists()

    @pytest.mark.parametrize(
        ("claims", "sentence"),
        [
            ({"iss": "https://evil.example"}, "is in another issuer's name"),
            ({"aud": "another-client"}, "is for another client"),
            ({"exp": 1}, "The clocks of the portal and of the provider must agree"),
            ({"nonce": "of-another-sign-in"}, "does not belong to this sign-in"),
            ({"nonce": None}, "does not belong to this sign-in"),
            ({"sub": "somebody-else"}, "is not responding correctly"),
            ({"sub": ""}, "is not responding correctly"),
        ],
    )
    def test_id_tokens_of_others_are_refused(
        self, browser: Browser, provider: FakeProvider, claims: dict[str, Any], sentence: str
    ) -> None:
        provider.userinfo = dict(provider.claims)
        provider.id_token = claims
        assert refused(browser.sign_in(provider), sentence)
        assert not User.objects.exists()

    def test_without_userinfo_the_id_token_is_enough(self, browser: Browser, provider: FakeProvider) -> None:
        provider.metadata["userinfo_endpoint"] = None
        browser.sign_in(provider)
        assert User.objects.get().email == "dana@example.com"

    def test_the_discovery_document_is_read_once(self, browser: Browser, provider: FakeProvider) -> None:
        browser.sign_in(provider)
        Browser().sign_in(provider)
        assert provider.asked.count(DISCOVERY) == 1


class TestSigningOut:
    def test_ends_both_sessions(self, browser: Browser, provider: FakeProvider) -> None:
        browser.sign_in(provider)
        token = browser.session["sso"]["id_token"]
        asked = len(provider.asked)

        response = browser.post("/accounts/logout/")

        url = urlsplit(response["Location"])
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{provider.issuer}/end-session"
        assert dict(parse_qsl(url.query)) == {
            "id_token_hint": token,
            "client_id": "portal",
            "post_logout_redirect_uri": "http://testserver/accounts/signed-out/",
        }
        assert browser.user_id is None
        assert "sso" not in browser.session
        assert len(provider.asked) == asked, "the portal calls nobody for it"

    @pytest.mark.parametrize("endpoint", ["/end-session", "/end-session?p=policy"])
    def test_leaves_a_long_id_token_out_of_the_address(
        self, browser: Browser, provider: FakeProvider, endpoint: str
    ) -> None:
        provider.claims["groups"] = [f"team-with-a-long-name-{number}" for number in range(250)]
        provider.metadata["end_session_endpoint"] = provider.issuer + endpoint
        browser.sign_in(provider)
        assert len(browser.session["sso"]["id_token"]) > 8000

        url = urlsplit(browser.post("/accounts/logout/")["Location"])

        assert url.path == "/end-session"
        assert dict(parse_qsl(url.query)) == dict(parse_qsl(urlsplit(endpoint).query)) | {
            "client_id": "portal",
            "post_logout_redirect_uri": "http://testserver/accounts/signed-out/",
        }
        assert browser.user_id is None

    @pytest.mark.parametrize("endpoint", [None, "", 7, "https://elsewhere.example/out", "javascript:alert(1)"])
    def test_ends_the_own_session_where_the_provider_offers_nothing(
        self, browser: Browser, provider: FakeProvider, endpoint: Any
    ) -> None:
        provider.metadata["end_session_endpoint"] = endpoint
        browser.sign_in(provider)
        assert browser.post("/accounts/logout/")["Location"] == "/accounts/signed-out/"
        assert browser.user_id is None

    def test_is_a_post_with_a_token(self, provider: FakeProvider, db: None) -> None:
        strict = Client(enforce_csrf_checks=True)
        assert strict.get("/accounts/logout/").status_code == 405
        assert strict.post("/accounts/logout/").status_code == 403

    def test_ends_on_a_page_with_a_button_and_no_loop(self, browser: Browser, provider: FakeProvider) -> None:
        response = browser.get("/accounts/signed-out/")
        assert response.status_code == 200
        links = {link.get_text(strip=True): link["href"] for link in main(response).select("a")}
        assert links == {"Sign in": "/accounts/login/"}
        assert provider.asked == []

    def test_leaves_by_the_admins_door_too(self, browser: Browser, provider: FakeProvider) -> None:
        provider.claims["groups"] = ["platform-admins"]
        browser.sign_in(provider)
        assert browser.post("/admin/logout/")["Location"].startswith(f"{provider.issuer}/end-session?")


class TestTheDoors:
    @pytest.mark.parametrize(
        "name",
        [
            "account_signup",
            "account_email",
            "account_change_password",
            "account_reset_password",
            "account_set_password",
            "socialaccount_signup",
            "socialaccount_connections",
        ],
    )
    def test_pages_that_nobody_needs_are_not_there(self, name: str) -> None:
        with pytest.raises(NoReverseMatch):
            reverse(name)

    def test_a_password_is_not_asked_for(self, browser: Browser, provider: FakeProvider) -> None:
        User.objects.create_superuser("root", "root@example.com", "pass-word-1")
        browser.post("/accounts/login/", {"login": "root@example.com", "password": "pass-word-1"})
        browser.post("/admin/login/", {"username": "root", "password": "pass-word-1"})
        assert browser.user_id is None

    def test_the_admin_sends_strangers_to_the_portals_sign_in(self, browser: Browser, provider: FakeProvider) -> None:
        assert browser.get("/admin/login/?next=/admin/environments/")["Location"] == (
            "/accounts/login/?next=%2Fadmin%2Fenvironments%2F"
        )

    def test_the_admin_is_closed_to_developers_without_a_loop(self, browser: Browser, provider: FakeProvider) -> None:
        browser.sign_in(provider)
        assert browser.get("/admin/", follow=True).status_code == 403

    def test_without_an_issuer_there_is_no_single_sign_on(self, browser: Browser, settings: Settings) -> None:
        settings.OIDC_ISSUER = ""
        assert browser.get("/accounts/oidc/sso/login/").status_code == 404
        assert browser.get(CALLBACK).status_code == 404


class TestLocalAccounts:
    @pytest.fixture(autouse=True)
    def local_accounts(self, settings: Settings) -> None:
        settings.LOCAL_ACCOUNTS = True
        settings.SOCIALACCOUNT_ONLY = False

    def test_a_password_opens_a_local_account_and_leaves_its_roles(
        self, browser: Browser, provider: FakeProvider
    ) -> None:
        root = User.objects.create_superuser("root", "root@example.com", "pass-word-1")
        response = browser.post(
            "/accounts/login/?next=/environments/", {"login": "root@example.com", "password": "pass-word-1"}
        )
        assert response["Location"] == "/environments/"
        assert browser.user_id == root.pk
        root.refresh_from_db()
        assert root.is_superuser

    def test_the_page_offers_both_ways(self, browser: Browser, provider: FakeProvider) -> None:
        page = main(browser.get("/accounts/login/?next=/environments/"))
        assert page.select_one("a")["href"] == "/accounts/oidc/sso/login/?next=%2Fenvironments%2F"
        assert {field["name"] for field in page.select("form input:not([type=hidden])")} == {"login", "password"}

    def test_a_wrong_password_is_told(self, browser: Browser, provider: FakeProvider) -> None:
        response = browser.post("/accounts/login/", {"login": "root@example.com", "password": "wrong"})
        assert 'role="alert"' in response.content.decode()
        assert browser.user_id is None

    def test_the_inactive_are_refused_with_a_sentence(self, browser: Browser, provider: FakeProvider) -> None:
        User.objects.create_user("old", "old@example.com", "pass-word-1", is_active=False)
        response = browser.post("/accounts/login/", {"login": "old@example.com", "password": "pass-word-1"})
        assert refused(response, "is deactivated")

    def test_sign_out_of_a_local_account_stays_here(self, browser: Browser, provider: FakeProvider) -> None:
        browser.force_login(User.objects.create_user("dana", "dana@example.com", "pass-word-1"))
        assert browser.post("/accounts/logout/")["Location"] == "/accounts/signed-out/"
