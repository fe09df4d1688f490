"""Passwords of local accounts: signing in, changing, forgetting, and trying without end."""

import re

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client
from django.urls import reverse

from environments.models import User
from portal import tasks
from portal.local import passwords
from tests.portal.local_people import OTHER, PASSWORD, local, main, sign_in, signed_in

RESET = "/accounts/password/reset/"


@pytest.fixture(autouse=True)
def _local(local_accounts, enqueued):
    enqueued.at_once.add(tasks.send_password_reset.name)


class TestSigningIn:
    def test_begins_a_session_under_a_new_key(self, client, dana):
        session = client.session
        session["kept"] = 1
        session.save()
        before = session.session_key
        response = sign_in(client, local(dana))
        assert response["Location"] == reverse("home")
        assert signed_in(client) == dana.pk
        assert client.session.session_key != before

    def test_does_not_mind_the_case_of_an_address(self, client, dana):
        local(dana)
        client.post("/accounts/login/", {"login": "DANA@Example.com", "password": PASSWORD})
        assert signed_in(client) == dana.pk

    def test_is_throttled_after_five_wrong_passwords_even_for_the_right_one(self, client, dana, theo):
        local(dana)
        for _ in range(5):
            assert "email address or password is wrong" in sign_in(client, dana, OTHER).content.decode()
        assert "Too many attempts" in sign_in(client, dana).content.decode()
        assert signed_in(client) is None

    def test_answers_the_same_where_there_is_no_account(self, client, dana):
        local(dana)
        wrong = main(sign_in(client, dana, OTHER)).get_text()
        unknown = main(client.post("/accounts/login/", {"login": "who@example.com", "password": OTHER})).get_text()
        assert wrong == unknown

    def test_is_throttled_by_address_with_a_page_that_says_so(self, client, dana):
        for number in range(30):
            client.post("/accounts/login/", {"login": f"{number}@example.com", "password": OTHER})
        response = sign_in(client, dana)
        assert response.status_code == 429
        assert "Too many attempts" in main(response).get_text()

    def test_needs_a_token_against_forgery(self, dana):
        strict = Client(enforce_csrf_checks=True)
        assert sign_in(strict, local(dana)).status_code == 403

    def test_by_the_admins_own_form_is_not_possible(self, client, ada):
        local(ada)
        client.post("/admin/login/", {"username": "ada", "password": PASSWORD})
        assert signed_in(client) is None


class TestChanging:
    def change(self, client, old=PASSWORD, new=OTHER):
        return client.post("/accounts/password/", {"oldpassword": old, "password1": new, "password2": new})

    def test_ends_the_sessions_elsewhere_and_tells_the_owner(self, client, dana):
        elsewhere = Client()
        local(dana)
        sign_in(client, dana)
        sign_in(elsewhere, dana)
        assert elsewhere.get("/").status_code == 200

        assert self.change(client)["Location"] == reverse("mfa_index")

        assert client.get("/").status_code == 200
        assert elsewhere.get("/").status_code == 302
        dana.refresh_from_db()
        assert dana.check_password(OTHER)
        assert mail.outbox[0].to == ["dana@example.com"]
        assert mail.outbox[0].subject == "[Allotment] Password Changed"

    def test_needs_the_old_one_and_is_throttled(self, client, dana):
        sign_in(client, local(dana))
        answers = [self.change(client, old="wrong").status_code for _ in range(6)]
        assert answers == [200] * 5 + [429]

    @pytest.mark.parametrize("new", ["elevenchars", "1234567890123", "dana@example.com", "q1w2e3r4t5y6"])
    def test_refuses_weak_ones(self, client, dana, new):
        sign_in(client, local(dana))
        assert main(self.change(client, new=new)).select(".error")

    def test_is_not_for_accounts_of_the_identity_provider(self, client, dana):
        dana.set_unusable_password()
        dana.save()
        client.force_login(dana)
        assert client.get("/accounts/password/").status_code == 403


class TestForgetting:
    def link(self):
        return re.search(r"http://testserver(/\S+)", mail.outbox[-1].body).group(1)

    def test_answers_everybody_alike_and_writes_only_to_accounts(self, client, dana, enqueued):
        local(dana)
        enqueued.at_once.clear()
        known = client.post(RESET, {"email": "Dana@example.com"}, follow=True)
        unknown = client.post(RESET, {"email": "who@example.com"}, follow=True)
        assert (known.status_code, known.request["PATH_INFO"]) == (200, "/accounts/password/reset/done/")
        assert main(known).get_text() == main(unknown).get_text()
        assert known.redirect_chain == unknown.redirect_chain
        asked = enqueued.of(tasks.send_password_reset)
        assert asked == [dana.pk, 0], "a worker is asked either way, and only it knows whether a message goes out"
        assert not mail.outbox

    def test_leads_to_a_new_password_once_and_ends_all_sessions(self, client, dana):
        elsewhere = Client()
        sign_in(elsewhere, local(dana))
        client.post(RESET, {"email": "dana@example.com"})
        link = self.link()
        form = client.get(link)
        assert form.status_code == 302, "the key leaves the address"
        assert "set-password" in form["Location"]
        response = client.post(form["Location"], {"password1": OTHER, "password2": OTHER}, follow=True)
        assert "Password changed" in main(response).get_text()
        assert signed_in(client) is None, "a link alone signs nobody in"
        dana.refresh_from_db()
        assert dana.check_password(OTHER)
        assert elsewhere.get("/").status_code == 302
        assert "has expired" in main(Client().get(link)).get_text()

    def test_names_the_portal_whatever_host_was_asked(self, client, dana):
        local(dana)
        client.post(RESET, {"email": "dana@example.com"}, headers={"host": "evil.example"})
        assert "http://testserver/" in mail.outbox[0].body
        assert "evil" not in mail.outbox[0].body

    def test_does_nothing_for_the_inactive_or_for_accounts_of_the_provider(self, dana, theo):
        dana.is_active = False
        dana.save()
        SocialAccount.objects.create(user=theo, provider="sso", uid="theo")
        for user in (dana, theo):
            passwords.send_reset(user.pk)
        passwords.send_reset(0)
        assert not mail.outbox

    def test_is_throttled(self, client, db):
        answers = [client.post(RESET, {"email": "who@example.com"}).status_code for _ in range(6)]
        assert answers == [302] * 5 + [429]

    def test_leaves_no_second_list_of_addresses(self, client, dana):
        local(dana)
        client.post(RESET, {"email": "dana@example.com"})
        assert not dana.emailaddress_set.exists()


class TestWithSingleSignOn:
    @pytest.fixture
    def linked(self, browser, provider, local_accounts):
        provider.claims["email_verified"] = True
        user = local(User.objects.create(username="dana", email="dana@example.com"))
        browser.sign_in(provider, "/accounts/oidc/sso/login/")
        assert browser.user_id == user.pk
        browser.logout()
        return user

    def test_the_password_of_an_account_ends_where_the_provider_takes_over(self, browser, linked):
        linked.refresh_from_db()
        assert linked.follows_claim
        assert not linked.has_usable_password()
        sign_in(browser, linked)
        assert browser.user_id is None
