"""Invitations: who may ask whom, what the link is good for, and that there is no other way to an account."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import NoReverseMatch, resolve, reverse
from django.urls.exceptions import Resolver404
from django.utils import timezone

from environments.models import Invitation, User
from portal import tasks
from portal.local import invitations
from tests.portal.local_people import OTHER, PASSWORD, main, signed_in

ADD = "/admin/environments/invitation/add/"
LIST = "/admin/environments/invitation/"


@pytest.fixture(autouse=True)
def _local(local_accounts, enqueued):
    local_accounts.MFA_REQUIRED_FOR = "nobody"
    enqueued.at_once.add(tasks.send_invitation.name)


@pytest.fixture
def invitation(team, ada):
    new = Invitation(email="Nia@Example.com", first_name="Nia", role="developer")
    return invitations.invite(new, [team], by=ada)


def choose(client, invitation, password=PASSWORD, repeated=None):
    return client.post(invitations.link(invitation), {"password1": password, "password2": repeated or password})


class TestTheLink:
    def test_leads_to_a_password_and_into_the_portal(self, client, invitation, team):
        response = choose(client, invitation)
        user = User.objects.get(email="nia@example.com")
        assert (response.status_code, response["Location"]) == (302, reverse("home"))
        assert signed_in(client) == user.pk
        assert user.check_password(PASSWORD)
        assert (list(user.teams.all()), user.is_superuser, user.is_manager) == ([team], False, False)
        invitation.refresh_from_db()
        assert (invitation.state, invitation.account) == ("accepted", user)

    def test_is_not_used_up_by_opening_it(self, client, invitation):
        assert client.get(invitations.link(invitation)).status_code == 200
        assert choose(client, invitation).status_code == 302

    def test_works_once(self, client, invitation):
        choose(client, invitation)
        again = Client()
        assert choose(again, invitation, OTHER).status_code == 410
        assert signed_in(again) is None
        assert User.objects.get(email="nia@example.com").check_password(PASSWORD)

    def test_of_two_clicks_at_once_only_one_counts(self, invitation):
        same = Invitation.objects.get(pk=invitation.pk)
        invitations.accept(invitation, PASSWORD)
        with pytest.raises(Exception, match="has expired or was already used"):
            invitations.accept(same, OTHER)

    def test_ends_after_some_days(self, client, invitation):
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert choose(client, invitation).status_code == 410
        assert not User.objects.filter(email="nia@example.com").exists()

    def test_ends_when_it_is_revoked(self, client, invitation, ada):
        assert invitations.revoke(invitation, by=ada)
        assert choose(client, invitation).status_code == 410
        invitation.refresh_from_db()
        assert (invitation.state, invitation.revoked_by) == ("revoked", ada)

    def test_is_for_one_address(self, client, invitation):
        Invitation.objects.update(email="mallory@example.com")
        assert choose(client, invitation).status_code == 410

    def test_cannot_be_made_up(self, client, invitation):
        link = invitations.link(invitation)
        broken = link[:-5] + ("aaaa/" if not link.endswith("aaaa/") else "bbbb/")
        assert client.get(broken).status_code == 410
        assert client.get(reverse("accept_invitation", args=["nonsense"])).status_code == 410

    def test_is_over_when_somebody_has_an_account_with_the_address_by_now(self, client, invitation, ada):
        User.objects.create_user("nia", "nia@example.com", OTHER)
        response = choose(client, invitation)
        assert response.status_code == 410
        assert signed_in(client) is None
        invitation.refresh_from_db()
        assert invitation.state == "open", "nothing was used up"

    def test_is_replaced_by_a_newer_one(self, client, invitation, ada):
        newer = invitations.invite(Invitation(email="nia@example.com"), by=ada)
        assert choose(client, invitation).status_code == 410
        assert choose(client, newer).status_code == 302

    def test_needs_a_good_password_twice(self, client, invitation):
        for password in ("short", "123456789012", "password1234", "nia@example.com"):
            page = main(choose(client, invitation, password))
            assert page.select(".error"), password
        assert main(choose(client, invitation, PASSWORD, OTHER)).select(".error")
        assert not User.objects.filter(email="nia@example.com").exists()

    def test_is_a_form_with_a_token_against_forgery(self, invitation):
        strict = Client(enforce_csrf_checks=True)
        assert choose(strict, invitation).status_code == 403

    def test_cannot_be_tried_without_end(self, client, invitation):
        link = reverse("accept_invitation", args=["nonsense"])
        answers = [client.post(link, {}).status_code for _ in range(21)]
        assert answers[-1] == 429
        assert "Too many attempts" in client.post(link, {}).content.decode()

    @pytest.mark.parametrize(
        ("role", "flags"),
        [("developer", (False, False)), ("manager", (False, True)), ("admin", (True, False))],
    )
    def test_gives_the_role_that_was_promised(self, team, ada, role, flags):
        user = invitations.accept(invitations.invite(Invitation(email="n@x.org", role=role), [team], by=ada), PASSWORD)
        user.refresh_from_db()
        assert (user.is_superuser, user.is_manager) == flags
        assert user.is_staff == user.is_superuser
        assert list((user.managed_teams if role == "manager" else user.teams).all()) == [team]


class TestInTheAdmin:
    def test_inviting_sends_the_link_and_records_who_did_it(self, client, ada, team):
        client.force_login(ada)
        data = {"email": "New@Example.com", "first_name": "New", "role": "manager", "teams": [team.pk]}
        assert client.post(ADD, data).status_code == 302
        row = Invitation.objects.get()
        assert (row.email, row.invited_by, list(row.teams.all())) == ("new@example.com", ada, [team])
        assert row.mailed_at
        assert LogEntry.objects.filter(user=ada, object_id=str(row.pk)).exists()
        message = mail.outbox[0]
        assert message.to == ["new@example.com"]
        assert re.search(r"http://testserver/accounts/invitation/\S+", message.body).group() == invitations.link(row)

    def test_nobody_is_invited_who_has_an_account(self, client, ada, dana):
        client.force_login(ada)
        response = client.post(ADD, {"email": "DANA@example.com", "role": "developer"})
        assert "already has an account" in response.content.decode()
        assert not Invitation.objects.exists()

    def test_a_promise_is_not_changed_afterwards(self, client, ada, invitation):
        client.force_login(ada)
        client.post(f"{LIST}{invitation.pk}/change/", {"email": "evil@example.com", "role": "admin"})
        invitation.refresh_from_db()
        assert (invitation.email, invitation.role) == ("nia@example.com", "developer")

    def test_the_page_shows_the_link_only_while_it_is_good(self, client, ada, invitation):
        client.force_login(ada)
        page = f"{LIST}{invitation.pk}/change/"
        assert invitations.link(invitation) in client.get(page).content.decode()
        client.post(LIST, {"action": "revoke", "_selected_action": [invitation.pk]})
        assert "/accounts/invitation/" not in client.get(page).content.decode()
        assert LogEntry.objects.filter(change_message__contains="Revoked").count() == 1

    def test_the_link_can_be_sent_again(self, client, ada, invitation):
        client.force_login(ada)
        client.post(LIST, {"action": "send_again", "_selected_action": [invitation.pk]})
        assert invitations.link(invitation) in mail.outbox[0].body

    def test_only_platform_admins_invite(self, client, max_manager):
        client.force_login(max_manager)
        assert client.get(ADD).status_code == 302
        assert client.post(ADD, {"email": "x@example.com", "role": "admin"}).status_code == 302
        assert not Invitation.objects.exists()

    def test_there_are_no_invitations_without_local_accounts(self, client, ada, local_accounts):
        local_accounts.LOCAL_ACCOUNTS = False
        client.force_login(ada)
        assert client.get(LIST).status_code == 403
        assert client.get(ADD).status_code == 403


class TestTheCommand:
    def test_prints_a_link_for_the_first_admin(self, client, db):
        printed = StringIO()
        call_command("invite", "root@example.com", "--role", "admin", "--name", "Ro Ot", stdout=printed)
        client.post(printed.getvalue().strip(), {"password1": PASSWORD, "password2": PASSWORD})
        user = User.objects.get()
        assert (user.email, user.get_full_name(), user.is_superuser) == ("root@example.com", "Ro Ot", True)
        assert not mail.outbox

    @pytest.mark.parametrize("words", [["nonsense"], ["x@example.com", "--team", "Nobody"], ["dana@example.com"]])
    def test_refuses_what_cannot_be(self, dana, words):
        with pytest.raises(CommandError):
            call_command("invite", *words)

    def test_refuses_where_there_are_no_local_accounts(self, db, local_accounts):
        local_accounts.LOCAL_ACCOUNTS = False
        with pytest.raises(CommandError, match="LOCAL_ACCOUNTS=true"):
            call_command("invite", "x@example.com")

    def test_a_superuser_can_be_made_the_usual_way_and_sign_in(self, client, db, monkeypatch):
        monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
        options = {"username": "root", "email": "Root@Example.com", "interactive": False}
        call_command("createsuperuser", **options, stdout=StringIO())
        client.post("/accounts/login/", {"login": "root@example.com", "password": PASSWORD})
        assert signed_in(client) == User.objects.get().pk


class TestNobodySignsUp:
    @pytest.mark.parametrize("name", ["account_signup", "socialaccount_signup", "account_email", "mfa_signup_webauthn"])
    def test_no_page_has_such_a_name(self, name):
        with pytest.raises(NoReverseMatch):
            reverse(name)

    @pytest.mark.parametrize("path", ["signup", "register", "email", "social/signup", "3rdparty", "password/set"])
    def test_no_address_answers(self, path):
        with pytest.raises(Resolver404):
            resolve(f"/accounts/{path}/")
