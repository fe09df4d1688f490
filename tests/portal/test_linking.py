"""A person with a new identity gets their account back, by a platform admin or from the command line."""

from io import StringIO

import pytest
from allauth.socialaccount.models import SocialAccount
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from environments.models import UnlinkedIdentity, User
from portal import linking
from tests.portal.browser import Browser, use_issuer
from tests.portal.provider import FakeProvider, running

Outcome = UnlinkedIdentity.Outcome


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create(username="ada", email="ada@example.com", is_superuser=True, is_staff=True)


@pytest.fixture
def dana(browser: Browser, provider: FakeProvider) -> User:
    """Dana, signed in, whose provider then calls her by another subject."""
    browser.sign_in(provider)
    provider.claims["sub"] = "dana-in-the-new-tenant"
    assert Browser().sign_in(provider).status_code == 403
    return User.objects.get(username="dana")


@pytest.fixture
def waiting(dana: User) -> UnlinkedIdentity:
    return UnlinkedIdentity.objects.get()


def page_of(admin: User, person: User) -> tuple[Browser, str]:
    client = Browser()
    client.force_login(admin)
    return client, f"/admin/environments/user/{person.pk}/link/"


class TestInTheAdmin:
    def test_the_page_shows_both_identities(self, ada: User, dana: User, waiting: UnlinkedIdentity) -> None:
        client, url = page_of(ada, dana)
        text = (
            BeautifulSoup(client.get(url).content, "html.parser").select_one("main, #content").get_text(" ", strip=True)
        )
        assert "dana-in-the-new-tenant" in text
        assert waiting.issuer in text
        assert "not verified" in text
        assert url in client.get(f"/admin/environments/user/{dana.pk}/change/").content.decode()

    def test_the_new_identity_opens_the_account_and_the_former_does_not(
        self, ada: User, dana: User, waiting: UnlinkedIdentity, provider: FakeProvider, browser: Browser
    ) -> None:
        client, url = page_of(ada, dana)
        assert client.post(url, {"identity": waiting.pk, "link": ""}).status_code == 302
        assert browser.get("/environments/").status_code == 302, "the former identity's session has ended"

        new = Browser()
        new.sign_in(provider)
        assert new.user_id == dana.pk
        provider.claims["sub"] = "dana"
        assert Browser().sign_in(provider).status_code == 403
        assert User.objects.filter(email="dana@example.com").count() == 1
        assert SocialAccount.objects.get(user=dana).uid == "dana-in-the-new-tenant"

    def test_the_decision_is_recorded(self, ada: User, dana: User, waiting: UnlinkedIdentity) -> None:
        client, url = page_of(ada, dana)
        client.post(url, {"identity": waiting.pk, "link": ""})
        waiting.refresh_from_db()
        assert (waiting.outcome, waiting.decided_by, waiting.account) == (Outcome.LINKED, ada, dana)
        entry = LogEntry.objects.get()
        assert (entry.user, entry.object_id) == (ada, str(dana.pk))
        assert "dana-in-the-new-tenant" in str(entry)
        assert client.post(url, {"identity": waiting.pk, "link": ""}).status_code == 422, "once"

    def test_another_person_gets_an_account_of_their_own(
        self, ada: User, dana: User, waiting: UnlinkedIdentity, provider: FakeProvider
    ) -> None:
        client, url = page_of(ada, dana)
        client.post(url, {"identity": waiting.pk, "another_person": ""})
        new = Browser()
        assert new.sign_in(provider).status_code == 302
        assert new.user_id not in (None, dana.pk)
        assert SocialAccount.objects.count() == 2

    @pytest.mark.parametrize("who", ["developer", "manager", "nobody"])
    def test_is_for_platform_admins_alone(self, dana: User, waiting: UnlinkedIdentity, who: str) -> None:
        other = User.objects.create(username="max", email="max@example.com", is_manager=who == "manager")
        client, url = page_of(other, dana)
        if who == "nobody":
            client.logout()
        for response in (client.get(url), client.post(url, {"identity": waiting.pk, "link": ""})):
            assert response.status_code in (302, 403)
        waiting.refresh_from_db()
        assert waiting.outcome == ""
        with pytest.raises(PermissionDenied):
            linking.link(dana, waiting, by=other)
        with pytest.raises(PermissionDenied):
            linking.let_in(waiting, by=other)

    def test_takes_only_identities_that_may_be_this_persons(
        self, ada: User, dana: User, waiting: UnlinkedIdentity
    ) -> None:
        client, url = page_of(ada, ada)
        assert client.post(url, {"identity": waiting.pk, "link": ""}).status_code == 422
        assert client.post(url, {"identity": "x' OR 1=1", "link": ""}).status_code == 422
        assert client.get("/admin/environments/user/999999/link/").status_code == 404

    def test_a_get_changes_nothing(self, ada: User, dana: User, waiting: UnlinkedIdentity) -> None:
        client, url = page_of(ada, dana)
        client.get(url, {"identity": waiting.pk, "link": ""})
        waiting.refresh_from_db()
        assert waiting.outcome == ""

    def test_a_move_to_another_provider_takes_the_key_from_the_empty_account(
        self, ada: User, browser: Browser, provider: FakeProvider, partner: FakeProvider
    ) -> None:
        browser.sign_in(provider, "/accounts/oidc/sso/login/")
        dana, second = User.objects.get(provider="sso"), Browser()
        second.sign_in(partner, key="partner")
        empty = User.objects.get(provider="partner")
        client, url = page_of(ada, dana)
        client.post(url, {"identity": UnlinkedIdentity.objects.get().pk, "link": ""})

        again = Browser()
        again.sign_in(partner, key="partner")
        assert again.user_id == dana.pk
        empty.refresh_from_db()
        assert (empty.is_active, empty.subject) == (False, "")


class TestANewIssuer:
    def test_lets_everybody_back_in_by_the_link(
        self, ada: User, browser: Browser, provider: FakeProvider, settings: Settings
    ) -> None:
        browser.sign_in(provider)
        dana, moved = User.objects.get(username="dana"), FakeProvider()
        with running(moved):
            use_issuer(settings, moved.issuer)
            assert Browser().sign_in(moved).status_code == 403
            linking.link(dana, UnlinkedIdentity.objects.get(), by=ada)
            new = Browser()
            new.sign_in(moved)
            assert new.user_id == dana.pk

    def test_lets_another_person_with_the_same_subject_in_beside(
        self, ada: User, browser: Browser, provider: FakeProvider, settings: Settings
    ) -> None:
        browser.sign_in(provider)
        moved = FakeProvider()
        with running(moved):
            use_issuer(settings, moved.issuer)
            moved.claims["email"] = "max@example.com"
            assert Browser().sign_in(moved).status_code == 403
            linking.let_in(UnlinkedIdentity.objects.get(), by=ada)
            new = Browser()
            new.sign_in(moved)
        assert User.objects.get(pk=new.user_id).email == "max@example.com"
        assert set(User.objects.filter(subject="dana").values_list("issuer", flat=True)) == {
            provider.issuer,
            moved.issuer,
        }


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("link_identity", *arguments, stdout=out)
    return out.getvalue()


class TestTheCommand:
    def test_lists_who_waits(self, dana: User, waiting: UnlinkedIdentity) -> None:
        said = command()
        assert f"{waiting.pk}  sso {waiting.issuer} subject dana-in-the-new-tenant" in said
        assert "may belong to: dana <dana@example.com>" in said
        assert "(not verified)" in said

    @pytest.mark.parametrize("account", ["dana", "Dana@Example.com"])
    def test_links(self, dana: User, waiting: UnlinkedIdentity, provider: FakeProvider, account: str) -> None:
        assert "opens the account dana" in command(str(waiting.pk), "--to", account)
        new = Browser()
        new.sign_in(provider)
        assert new.user_id == dana.pk
        waiting.refresh_from_db()
        assert (waiting.outcome, waiting.decided_by) == (Outcome.LINKED, None)
        assert command() == ""

    def test_lets_another_person_in(self, dana: User, waiting: UnlinkedIdentity, provider: FakeProvider) -> None:
        assert "creates an account" in command(str(waiting.pk), "--another-person")
        assert Browser().sign_in(provider).status_code == 302

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("999",), "There is no identity 999"),
            (("{}",), "Add --to USER"),
            (("{}", "--to", "nobody"), "0 accounts match nobody"),
        ],
    )
    def test_says_what_is_missing(
        self, dana: User, waiting: UnlinkedIdentity, arguments: tuple[str, ...], sentence: str
    ) -> None:
        with pytest.raises(CommandError, match=sentence):
            command(*(argument.format(waiting.pk) for argument in arguments))

    def test_decides_once(self, dana: User, waiting: UnlinkedIdentity) -> None:
        command(str(waiting.pk), "--to", "dana")
        with pytest.raises(CommandError, match="already decided"):
            command(str(waiting.pk), "--another-person")
