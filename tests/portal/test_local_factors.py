"""Second factors: asked for at every sign-in of those who have one, and of those who need one before anything else."""

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from django.urls import reverse

from environments.models import User
from tests.portal.local_people import (
    PASSWORD,
    SECRET,
    code,
    local,
    main,
    recovery_codes,
    sign_in,
    signed_in,
    with_app,
)

SECURITY, APP, ASK = "/accounts/security/", "/accounts/security/app/", "/accounts/confirm/code/"


@pytest.fixture(autouse=True)
def _local(local_accounts):
    with time_machine.travel("2026-11-23 10:00:05+00:00", tick=False) as clock:
        yield clock


@pytest.fixture
def clock(_local):
    return _local


def second(client, answer):
    return client.post("/accounts/code/", {"code": answer})


class TestSigningIn:
    def test_asks_for_the_code_before_there_is_a_session(self, client, dana):
        with_app(dana)
        assert sign_in(client, dana)["Location"] == "/accounts/code/"
        assert signed_in(client) is None
        assert client.get("/environments/").status_code == 302
        assert second(client, code())["Location"] == reverse("home")
        assert signed_in(client) == dana.pk

    def test_refuses_wrong_codes_and_stops_counting_them_at_five(self, client, dana):
        with_app(dana)
        sign_in(client, dana)
        for _ in range(5):
            assert "code is wrong" in second(client, "000000").content.decode()
        assert "Too many attempts" in second(client, code()).content.decode()
        assert signed_in(client) is None

    def test_takes_a_code_once(self, client, dana):
        with_app(dana)
        sign_in(client, dana)
        second(client, code())
        other = Client()
        sign_in(other, dana)
        second(other, code())
        assert signed_in(other) is None

    def test_takes_a_code_only_in_its_time(self, client, dana, clock):
        with_app(dana)
        sign_in(client, dana)
        old = code()
        clock.shift(60)
        second(client, old)
        assert signed_in(client) is None

    def test_takes_a_recovery_code_once(self, client, dana):
        with_app(dana)
        first = recovery_codes(dana)[0]
        sign_in(client, dana)
        second(client, first)
        assert signed_in(client) == dana.pk
        assert len(recovery_codes(dana)) == 9
        other = Client()
        sign_in(other, dana)
        second(other, first)
        assert signed_in(other) is None

    def test_by_a_new_password_does_not_get_around_it(self, client, dana):
        with_app(dana)
        from portal.local.passwords import reset_link

        form = client.get(reset_link(dana))
        client.post(form["Location"], {"password1": PASSWORD + "!", "password2": PASSWORD + "!"})
        assert sign_in(client, dana, PASSWORD + "!")["Location"] == "/accounts/code/"


class TestThoseWhoNeedOne:
    @pytest.mark.parametrize("path", ["/", "/environments/", "/admin/", "/admin/environments/cluster/", "/outbox/"])
    def test_reach_nothing_but_the_set_up(self, client, ada, path):
        sign_in(client, local(ada))
        response = client.get(path)
        assert response["Location"].startswith(f"{SECURITY}?next=")
        assert client.post(path, {}).status_code == 303
        assert "needs a second factor" in main(client.get(SECURITY)).get_text()

    def test_reach_no_environment_either(self, client, ada, make_environment):
        namespace = make_environment().namespace
        sign_in(client, local(ada))
        for page in ("", "members/", "history/"):
            assert client.get(f"/environments/{namespace}/{page}").status_code == 302
        live = client.get(f"/environments/{namespace}/", headers={"HX-Request": "true"})
        assert (live.status_code, live["HX-Refresh"], live.content) == (200, "true", b"")

    def test_set_one_up_with_a_real_code_and_are_free(self, client, ada):
        sign_in(client, local(ada))
        client.get(APP)
        secret = client.session["mfa.totp.secret"]
        assert main(client.post(APP, {"code": "000000"})).select(".error")
        secret = client.session["mfa.totp.secret"]
        response = client.post(APP, {"code": code(secret)})
        assert response["Location"] == "/accounts/security/codes/"
        shown = main(client.get(response["Location"])).select_one("pre").get_text().split()
        assert shown == recovery_codes(ada)
        assert not main(client.get(response["Location"])).select("pre"), "they are shown once"
        assert client.get("/admin/").status_code == 200
        assert Authenticator.objects.get(user=ada, type="totp").data["secret"] != secret, "it is stored encrypted"

    def test_are_asked_in_a_session_that_is_older_than_the_factor(self, client, ada):
        older = Client()
        sign_in(older, local(ada))
        with_app_only(ada)
        assert older.get("/admin/")["Location"].startswith(ASK)
        assert older.get(APP)["Location"].startswith(ASK)
        assert older.get("/accounts/security/app/remove/")["Location"].startswith(ASK)
        older.post(ASK, {"code": code()})
        assert older.get("/admin/").status_code == 200

    def test_may_always_leave(self, client, ada):
        sign_in(client, local(ada))
        client.post("/accounts/logout/")
        assert signed_in(client) is None

    def test_are_held_again_when_their_factors_are_gone(self, client, ada):
        with_app(ada)
        sign_in(client, ada)
        second(client, code())
        assert client.get("/admin/").status_code == 200
        Authenticator.objects.all().delete()
        assert client.get("/admin/")["Location"].startswith(SECURITY)

    @pytest.mark.parametrize(
        ("setting", "admin_held", "developer_held"),
        [("admins", True, False), ("everybody", True, True), ("nobody", False, False)],
    )
    def test_are_those_of_the_setting(self, ada, dana, local_accounts, setting, admin_held, developer_held):
        local_accounts.MFA_REQUIRED_FOR = setting
        for user, held in ((ada, admin_held), (dana, developer_held)):
            client = Client()
            sign_in(client, local(user))
            assert (client.get("/environments/").status_code == 302) is held

    def test_are_not_those_who_come_by_single_sign_on(self, browser, provider, local_accounts):
        local_accounts.MFA_REQUIRED_FOR = "everybody"
        provider.claims["groups"] = ["platform-admins"]
        browser.sign_in(provider, "/accounts/oidc/sso/login/")
        assert browser.get("/admin/").status_code == 200
        assert "Security" not in browser.get("/").content.decode()
        assert browser.get(SECURITY).status_code == 403


def with_app_only(user):
    from allauth.mfa.totp.internal.auth import TOTP

    TOTP.activate(user, SECRET)


class TestLookingAfterThem:
    @pytest.fixture
    def inside(self, client, dana, clock):
        with_app(dana)
        sign_in(client, dana)
        second(client, code())
        clock.shift(600)
        return client

    @pytest.mark.parametrize("path", ["app/remove/", "codes/new/", "passkeys/new/"])
    def test_asks_for_the_factor_first_and_not_for_the_password_alone(self, inside, path):
        assert inside.get(SECURITY + path)["Location"].startswith(ASK)
        assert inside.post(SECURITY + path)["Location"].startswith(ASK)
        assert inside.get("/accounts/confirm/")["Location"].startswith(ASK)

    def test_makes_new_recovery_codes(self, inside, dana):
        before = recovery_codes(dana)
        inside.post(ASK, {"code": code()})
        inside.post(SECURITY + "codes/new/")
        assert not set(before) & set(recovery_codes(dana))

    def test_removes_the_app_with_its_recovery_codes_and_tells_the_owner(self, inside, dana):
        inside.post(ASK, {"code": code()})
        inside.post(SECURITY + "app/remove/")
        assert not Authenticator.objects.filter(user=dana).exists()
        assert mail.outbox[-1].to == ["dana@example.com"]

    def test_needs_a_token_against_forgery(self, dana):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(local(dana))
        assert strict.post(SECURITY + "codes/new/").status_code == 403


class TestResetting:
    @pytest.fixture
    def admin(self, client, ada, local_accounts):
        local_accounts.MFA_REQUIRED_FOR = "nobody"
        client.force_login(ada)
        return client

    def reset(self, client, user):
        data = {"action": "reset_factors", "_selected_action": [user.pk]}
        return client.post("/admin/environments/user/", data, follow=True)

    def test_is_recorded_and_told(self, admin, ada, dana):
        with_app(dana)
        self.reset(admin, dana)
        assert not Authenticator.objects.filter(user=dana).exists()
        entry = LogEntry.objects.get()
        assert (entry.user, entry.object_id, "second factors" in entry.change_message) == (ada, str(dana.pk), True)
        assert mail.outbox[0].to == ["dana@example.com"]

    def test_is_not_for_ones_own(self, admin, ada):
        with_app(ada)
        self.reset(admin, ada)
        assert Authenticator.objects.filter(user=ada).exists()

    def test_is_for_platform_admins(self, client, max_manager, dana):
        with_app(dana)
        client.force_login(max_manager)
        self.reset(client, dana)
        assert Authenticator.objects.filter(user=dana).exists()

    def test_needs_no_secret_to_be_seen(self, admin):
        assert "authenticator" not in admin.get("/admin/").content.decode().lower()
        assert admin.get("/admin/mfa/authenticator/").status_code == 404


class TestRolesByHand:
    @pytest.fixture(autouse=True)
    def admin(self, client, ada, local_accounts):
        local_accounts.MFA_REQUIRED_FOR = "nobody"
        client.force_login(ada)

    def url(self, user):
        return reverse("admin:environments_user_change", args=[user.pk])

    def save(self, client, user, **more):
        names = ("username", "email", "first_name", "last_name")
        return client.post(self.url(user), {name: getattr(user, name) for name in names} | {"is_active": "on"} | more)

    def test_a_local_account_gets_role_and_teams(self, client, sam, team):
        assert self.save(client, sam, is_superuser="on", is_manager="on", teams=[team.pk]).status_code == 302
        sam.refresh_from_db()
        assert (sam.is_superuser, sam.is_staff, sam.is_manager) == (True, True, True)
        assert (list(sam.teams.all()), list(sam.managed_teams.all())) == ([team], [])
        assert "is_superuser" in LogEntry.objects.get().change_message or LogEntry.objects.get().get_change_message()

    def test_an_account_of_the_provider_keeps_what_the_claim_says(self, client, sam, team):
        sam.socialaccount_set.create(provider="sso", uid="sam")
        page = main_of_admin(client.get(self.url(sam)))
        names = ["is_superuser", "is_manager", "teams", "managed_teams", "email", "password"]
        assert not [name for name in names if page.select(f"[name={name}]")]
        self.save(client, sam, is_superuser="on", is_manager="on", teams=[team.pk])
        sam.refresh_from_db()
        assert (sam.is_superuser, sam.is_manager) == (False, False)
        assert team not in sam.teams.all()
        assert client.get(f"/admin/environments/user/{sam.pk}/password/").status_code == 403

    def test_nobody_takes_their_own_role_away(self, client, ada):
        self.save(client, ada)
        ada.refresh_from_db()
        assert ada.is_superuser
        assert ada.is_active

    def test_an_account_is_made_here(self, client):
        data = {"username": "nia", "email": "Nia@Example.com", "usable_password": "true"}
        client.post("/admin/environments/user/add/", data | {"password1": PASSWORD, "password2": PASSWORD})
        user = User.objects.get(username="nia")
        assert (user.email, user.check_password(PASSWORD), user.is_superuser) == ("nia@example.com", True, False)


def main_of_admin(response):
    from bs4 import BeautifulSoup

    return BeautifulSoup(response.content, "html.parser")
