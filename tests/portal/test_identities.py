"""A person is provider, issuer and subject: whose account a sign-in opens, and what each provider may grant."""

import logging
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from bs4 import BeautifulSoup
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from environments.models import Team, TeamGroup, UnlinkedIdentity, User
from portal import linking, providers
from tests.makers import MakeEnvironment
from tests.portal.browser import Browser, use_issuer
from tests.portal.provider import FakeProvider, running

SSO = "/accounts/oidc/sso/login/"
VERIFIED = {"email_verified": True}


def says(response: Any) -> str:
    return BeautifulSoup(response.content, "html.parser").select_one("main").get_text(" ", strip=True)


class TestTheKey:
    def test_is_provider_issuer_and_subject(self, browser: Browser, provider: FakeProvider) -> None:
        browser.sign_in(provider)
        user = User.objects.get()
        assert (user.provider, user.issuer, user.subject) == ("sso", provider.issuer, "dana")

    def test_of_the_same_subject_at_another_provider_is_another_person(
        self, browser: Browser, provider: FakeProvider, partner: FakeProvider
    ) -> None:
        provider.claims["sub"] = partner.claims["sub"] = "1"
        partner.claims |= {"email": "max@partner.example", "preferred_username": "max"}
        browser.sign_in(provider, SSO)
        other = Browser()
        other.sign_in(partner, key="partner")

        assert User.objects.count() == 2
        assert User.objects.get(pk=other.user_id).email == "max@partner.example"
        assert User.objects.get(pk=browser.user_id).email == "dana@example.com"

    @pytest.mark.parametrize("email", ["max@example.com", "dana@example.com"])
    def test_of_the_same_subject_at_a_new_issuer_opens_nothing(
        self, browser: Browser, provider: FakeProvider, settings: Settings, email: str
    ) -> None:
        provider.claims["sub"] = "1"
        browser.sign_in(provider)
        moved = FakeProvider()
        with running(moved):
            use_issuer(settings, moved.issuer)
            moved.claims |= {"sub": "1", "email": email, "preferred_username": "max"} | VERIFIED
            response = Browser().sign_in(moved)

        assert response.status_code == 403
        assert "new issuer" in says(response)
        assert "link your account to the new identity" in says(response)
        dana = User.objects.get()
        assert (dana.email, dana.issuer, dana.username) == ("dana@example.com", provider.issuer, "dana")
        assert SocialAccount.objects.get().extra_data["id_token"]["email"] == "dana@example.com", "nothing was written"
        waiting = UnlinkedIdentity.objects.get()
        assert (waiting.issuer, waiting.subject, waiting.email, waiting.account) == (moved.issuer, "1", email, dana)

    def test_is_compared_exactly(self, browser: Browser, provider: FakeProvider) -> None:
        browser.sign_in(provider)
        provider.claims |= {"sub": "dana ", "email": "other@example.com"}
        Browser().sign_in(provider)
        assert set(User.objects.values_list("subject", flat=True)) == {"dana", "dana "}

    def test_of_an_account_of_the_version_before_is_taken_from_its_own_record(
        self, browser: Browser, provider: FakeProvider
    ) -> None:
        old = User.objects.create(username="dana", email="dana@example.com", email_trusted=False)
        token = {"iss": provider.issuer, "sub": "dana"}
        SocialAccount.objects.create(user=old, provider="sso", uid="dana", extra_data={"id_token": token})
        browser.sign_in(provider)
        old.refresh_from_db()
        assert (browser.user_id, old.issuer, old.subject) == (old.pk, provider.issuer, "dana")

    @pytest.mark.parametrize("token", [{}, {"iss": "https://old.example.com"}])
    def test_of_an_account_of_the_version_before_is_not_guessed(
        self, browser: Browser, provider: FakeProvider, token: dict[str, str]
    ) -> None:
        old = User.objects.create(username="old", email="old@example.com")
        SocialAccount.objects.create(user=old, provider="sso", uid="dana", extra_data={"id_token": token})
        assert browser.sign_in(provider).status_code == 403
        assert UnlinkedIdentity.objects.get().account == old

    def test_with_a_character_that_no_database_keeps_is_refused(self, browser: Browser, provider: FakeProvider) -> None:
        provider.claims["sub"] = "dana\x00"
        assert browser.sign_in(provider).status_code == 503
        assert not User.objects.exists()


class TestDiscovery:
    @pytest.mark.parametrize("configured", ["", "/"])
    @pytest.mark.parametrize("advertised", ["", "/"])
    def test_is_found_with_and_without_a_slash_at_the_end(
        self, browser: Browser, provider: FakeProvider, settings: Settings, configured: str, advertised: str
    ) -> None:
        base = provider.issuer
        use_issuer(settings, f"{base}{configured}")
        provider.issuer = f"{base}{advertised}"
        assert browser.sign_in(provider).status_code == 302
        assert User.objects.get().issuer == provider.issuer, "as it is advertised and in the tokens"
        assert "//.well-known" not in str(provider.asked)

    @pytest.mark.parametrize("other", ["https://evil.example", "{}/realms/other", "{}//"])
    def test_of_another_issuer_is_refused(
        self, browser: Browser, provider: FakeProvider, caplog: pytest.LogCaptureFixture, other: str
    ) -> None:
        provider.metadata["issuer"] = other.format(provider.issuer)
        response = browser.get("/accounts/login/")
        assert response.status_code == 503
        assert provider.metadata["issuer"] in caplog.text, "the log names both"


class TestTheAuthorizationResponse:
    """RFC 9207: a provider that names itself in its answer cannot be taken for another."""

    def test_may_name_the_issuer(self, browser: Browser, provider: FakeProvider) -> None:
        assert browser.sign_in(provider, extra=f"&iss={provider.issuer}").status_code == 302

    @pytest.mark.parametrize("extra", ["&iss=https://evil.example", "&iss="])
    def test_of_another_issuer_is_refused(self, browser: Browser, provider: FakeProvider, extra: str) -> None:
        assert browser.sign_in(provider, extra=extra).status_code == 503
        assert "/token" not in provider.asked, "the code goes to nobody"
        assert not User.objects.exists()

    def test_must_name_it_where_the_provider_says_so(self, browser: Browser, provider: FakeProvider) -> None:
        provider.metadata["authorization_response_iss_parameter_supported"] = True
        assert browser.sign_in(provider).status_code == 503
        assert browser.sign_in(provider, extra=f"&iss={provider.issuer}").status_code == 302

    def test_of_one_provider_is_no_answer_for_another(
        self, browser: Browser, provider: FakeProvider, partner: FakeProvider
    ) -> None:
        query = partner.grant(browser.get("/accounts/oidc/partner/login/").url)
        response = browser.get(f"/accounts/oidc/sso/login/callback/?{query}")
        assert response.status_code == 400
        assert browser.user_id is None
        assert "/token" not in provider.asked + partner.asked


class TestSeveralProviders:
    def test_have_a_button_each(self, browser: Browser, provider: FakeProvider, partner: FakeProvider) -> None:
        page = BeautifulSoup(browser.get("/accounts/login/?next=/environments/").content, "html.parser")
        ways = {link.get_text(): link["href"] for link in page.select("main a")}
        assert ways == {
            "Single sign-on": "/accounts/oidc/sso/login/?next=%2Fenvironments%2F",
            "Partner": "/accounts/oidc/partner/login/?next=%2Fenvironments%2F",
        }
        assert not page.select("main form")

    def test_have_a_redirect_uri_each(self, browser: Browser, provider: FakeProvider, partner: FakeProvider) -> None:
        assert "%2Foidc%2Fpartner%2Flogin%2Fcallback%2F" in browser.get("/accounts/oidc/partner/login/").url
        assert browser.get("/accounts/oidc/nobody/login/").status_code == 404
        assert browser.get("/accounts/oidc/nobody/login/callback/?state=x&code=y").status_code == 404

    def test_grant_roles_and_teams_each_by_their_own_groups(
        self, browser: Browser, provider: FakeProvider, partner: FakeProvider, settings: Settings
    ) -> None:
        checkout = Team.objects.create(name="Checkout", group="checkout", manager_group="checkout-leads")
        suppliers = Team.objects.create(name="Suppliers", group="suppliers")
        TeamGroup.objects.create(team=suppliers, provider="partner", group="checkout", manager_group="leads")
        groups = ["platform-admins", "managers", "checkout", "checkout-leads", "leads"]
        provider.claims["groups"] = groups
        partner.claims |= {"email": "max@partner.example", "preferred_username": "max", "groups": groups}
        browser.sign_in(provider, SSO)
        Browser().sign_in(partner, key="partner")

        dana, max_ = User.objects.get(provider="sso"), User.objects.get(provider="partner")
        assert (dana.is_platform_admin, dana.is_manager) == (True, True)
        assert (list(dana.teams.all()), list(dana.managed_teams.all())) == ([checkout], [checkout])
        assert (max_.is_platform_admin, max_.is_manager) == (False, False)
        assert (list(max_.teams.all()), list(max_.managed_teams.all())) == ([suppliers], [suppliers])

        settings.OIDC_FURTHER["partner"]["MANAGER_GROUPS"] = ["leads"]
        Browser().sign_in(partner, key="partner")
        max_.refresh_from_db()
        assert (max_.is_platform_admin, max_.is_manager) == (False, True)

    def test_may_have_one_address_for_two_accounts_of_which_the_first_holds_it(
        self, browser: Browser, provider: FakeProvider, partner: FakeProvider
    ) -> None:
        provider.claims |= VERIFIED
        partner.claims |= VERIFIED
        browser.sign_in(provider, SSO)
        Browser().sign_in(partner, key="partner")
        trusted = dict(User.objects.values_list("provider", "email_trusted"))
        assert trusted == {"sso": True, "partner": False}
        assert set(User.objects.values_list("email", flat=True)) == {"dana@example.com"}

    @pytest.mark.parametrize("verified", [True, False, None])
    def test_do_not_open_a_local_account_but_for_the_first(
        self, browser: Browser, provider: FakeProvider, partner: FakeProvider, verified: bool | None
    ) -> None:
        root = User.objects.create_superuser("root", "dana@example.com", "pass-word-1")
        partner.claims |= {"email_verified": verified}
        browser.sign_in(partner, key="partner")
        assert browser.user_id not in (None, root.pk)
        assert not User.objects.get(pk=browser.user_id).email_trusted
        root.refresh_from_db()
        assert root.has_usable_password()
        assert root.is_platform_admin

    def test_end_their_own_session_at_sign_out(
        self, browser: Browser, provider: FakeProvider, partner: FakeProvider
    ) -> None:
        partner.claims["sub"] = "max"
        browser.sign_in(partner, key="partner")
        assert browser.post("/accounts/logout/")["Location"].startswith(f"{partner.issuer}/end-session?")

    def test_keep_the_key_of_an_account_in_use(
        self, browser: Browser, provider: FakeProvider, partner: FakeProvider, make_environment: MakeEnvironment
    ) -> None:
        provider.claims["email"] = partner.claims["email"] = "kim@example.com"
        browser.sign_in(provider, SSO)
        Browser().sign_in(partner, key="partner")
        make_environment(User.objects.get(provider="partner"))
        with pytest.raises(ValidationError, match="Hand them over first"):
            linking.link(User.objects.get(provider="sso"), UnlinkedIdentity.objects.get(), by=None)


class TestAnAddress:
    @pytest.mark.parametrize(
        ("rule", "verified", "trusted"),
        [
            ("verified", True, True),
            ("verified", "true", True),
            ("verified", None, False),
            ("verified", False, False),
            ("verified", "yes", False),
            ("unless_unverified", None, True),
            ("unless_unverified", False, False),
            ("unless_unverified", "false", False),
            ("always", False, True),
            ("always", None, True),
        ],
    )
    def test_counts_by_the_providers_setting(
        self, browser: Browser, provider: FakeProvider, settings: Settings, rule: str, verified: Any, trusted: bool
    ) -> None:
        settings.OIDC_EMAILS = rule
        provider.claims["email_verified"] = verified
        browser.sign_in(provider)
        assert User.objects.get().email_trusted is trusted

    @pytest.mark.parametrize(
        ("domains", "trusted"), [(["example.com"], True), (["@Example.com"], True), (["x.com"], False)]
    )
    def test_counts_in_the_providers_domains_only(
        self, browser: Browser, provider: FakeProvider, settings: Settings, domains: list[str], trusted: bool
    ) -> None:
        settings.OIDC_EMAIL_DOMAINS = domains
        provider.claims |= VERIFIED
        browser.sign_in(provider)
        assert User.objects.get().email_trusted is trusted

    def test_stops_to_count_where_the_provider_takes_its_word_back(
        self, browser: Browser, provider: FakeProvider
    ) -> None:
        provider.claims |= VERIFIED
        browser.sign_in(provider)
        provider.claims["email_verified"] = False
        Browser().sign_in(provider)
        user = User.objects.get()
        assert (user.email, user.email_trusted) == ("dana@example.com", False)

    def test_passes_from_one_person_of_a_provider_to_the_next(self, browser: Browser, provider: FakeProvider) -> None:
        provider.claims |= VERIFIED
        browser.sign_in(provider)
        provider.claims |= {"sub": "max", "email": "max@example.com", "preferred_username": "max"}
        Browser().sign_in(provider)
        provider.claims["email"] = "dana@example.com"
        Browser().sign_in(provider)
        holders = dict(User.objects.values_list("subject", "email_trusted"))
        assert holders == {"dana": False, "max": True}
        assert User.objects.get(subject="dana").claimed_email == ""

    def test_does_not_pass_on_without_the_providers_word(self, browser: Browser, provider: FakeProvider) -> None:
        provider.claims |= VERIFIED
        browser.sign_in(provider)
        provider.claims |= {"sub": "max", "email": "max@example.com", "preferred_username": "max"}
        Browser().sign_in(provider)
        provider.claims |= {"email": "dana@example.com", "email_verified": None}
        Browser().sign_in(provider)
        holders = dict(User.objects.values_list("subject", "email_trusted"))
        assert holders == {"dana": True, "max": False}

    def test_keeps_its_spelling_beside_the_one_that_is_looked_up(
        self, browser: Browser, provider: FakeProvider
    ) -> None:
        provider.claims |= {"email": "Dana.Developer@Example.COM", "preferred_username": "DanaD"} | VERIFIED
        browser.sign_in(provider)
        user = User.objects.get()
        assert (user.email, user.claimed_email) == ("dana.developer@example.com", "Dana.Developer@Example.COM")
        facts = user.token_facts
        assert (facts["email"], facts["preferred_username"]) == ("Dana.Developer@Example.COM", "DanaD")
        assert (facts["iss"], facts["sub"], facts["groups"]) == (provider.issuer, "dana", [])


class TestTheGroupsClaim:
    @pytest.mark.parametrize(
        ("claims", "words"),
        [
            ({"groups": ["team-checkout"]}, ""),
            ({"groups": []}, ""),
            ({"groups": "team-checkout"}, ""),
            ({}, "did not send the claim groups."),
            ({"_claim_names": {"groups": "src1"}, "_claim_sources": {}}, "in too many groups"),
            ({"hasgroups": True}, "in too many groups"),
            ({"groups": [{"name": "platform-admins"}]}, "contains entries that are not text"),
            ({"groups": {"platform-admins": True}}, "is not a list of names"),
            ({"groups": None}, "is not a list of names"),
        ],
    )
    def test_that_is_not_in_order_grants_nothing_and_is_told(
        self,
        browser: Browser,
        provider: FakeProvider,
        caplog: pytest.LogCaptureFixture,
        claims: dict[str, Any],
        words: str,
    ) -> None:
        provider.claims |= claims
        with caplog.at_level(logging.WARNING, "portal.identities"):
            browser.sign_in(provider)
        user = User.objects.get()
        assert not user.is_platform_admin
        assert words in user.groups_problem
        assert bool(user.groups_problem) is bool(words)
        assert [record.levelname for record in caplog.records if record.name == "portal.identities"] == (
            ["WARNING"] if words else []
        )


class TestARefusedSignIn:
    def test_is_remembered_once_with_what_the_provider_said(self, browser: Browser, provider: FakeProvider) -> None:
        browser.sign_in(provider)
        dana = User.objects.get()
        provider.claims |= {"sub": "the-next-dana", "name": "Dana Next"} | VERIFIED
        for _ in range(2):
            assert Browser().sign_in(provider).status_code == 403
        waiting = UnlinkedIdentity.objects.get()
        assert (waiting.subject, waiting.account, waiting.name, waiting.email_trusted) == (
            "the-next-dana",
            dana,
            "Dana Next",
            True,
        )

    def test_for_a_provider_that_is_gone_is_told(self, browser: Browser, provider: FakeProvider) -> None:
        assert providers.find("partner") is None
        assert providers.name_of("partner") == "partner"
        assert providers.name_of("sso") == "Single sign-on"


class TestTheList:
    """Who sees less than they may expect is told why, where they look for it."""

    def test_says_why_shared_environments_are_not_shown(self, browser: Browser, provider: FakeProvider) -> None:
        provider.claims["groups"] = []
        browser.sign_in(provider)
        text = says(browser.get("/environments/"))
        assert "Environments that are shared with dana@example.com are not shown" in text
        provider.claims |= VERIFIED
        browser.sign_in(provider, SSO)
        assert "are not shown" not in says(browser.get("/environments/"))

    def test_says_which_claim_was_missing(self, browser: Browser, provider: FakeProvider) -> None:
        provider.claims |= VERIFIED
        browser.sign_in(provider)
        assert "did not send the claim groups." in says(browser.get("/environments/"))

    def test_says_neither_to_a_local_account(self, browser: Browser) -> None:
        browser.force_login(User.objects.create(username="kim", email="kim@example.com"))
        assert "identity provider" not in says(browser.get("/environments/"))
