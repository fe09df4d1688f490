"""The admin is for platform admins alone, names the portal, and obeys its content security policy."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialApp, SocialToken
from bs4 import BeautifulSoup
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from environments.catalog import templates as template_actions
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import (
    ClusterVerdict,
    Condition,
    Environment,
    Event,
    NetworkOpening,
    PublishCheck,
    Rate,
    StandIn,
    TemplateVersion,
)
from environments.spec.openings import parse_lines
from portal.admin_site import AdminSite

MODELS = [
    "environments_cluster",
    "environments_networkopening",
    "environments_rate",
    "environments_directory",
    "environments_template",
    "environments_templateversion",
    "environments_user",
    "environments_team",
    "environments_standin",
    "environments_environment",
    "environments_event",
    "environments_condition",
    "admin_logentry",
]


def soup(response) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


@pytest.fixture
def world(make_environment, ada, theo, max_manager, template_version):
    """One row of everything."""
    draft = template_actions.new_draft(template_version, ada)
    environment = make_environment()
    check = PublishCheck.objects.create(version=draft, digest=template_actions.digest(draft), asked_by=ada)
    ClusterVerdict.objects.create(check_of=check, cluster=environment.cluster)
    rules = parse_lines("10.20.0.5/32 5432").model_dump(mode="json")
    NetworkOpening.objects.create(cluster=environment.cluster, slug="database", name="Database", destinations=rules)
    Rate.objects.create(cluster=environment.cluster, starts_on=timezone.now().date())
    StandIn.objects.create(absent=max_manager, person=theo, last_day=timezone.now().date(), named_by=ada)
    return environment


def pages(world) -> list[str]:
    """Every page of the admin that can be opened, with a row where it needs one."""
    urls = [reverse("admin:index"), reverse("admin:environments_cluster_rbac")]
    urls += [reverse(f"admin:{model}_changelist") for model in MODELS]
    rows = [world, world.cluster, world.directory, world.owner, world.team, world.version.template]
    rows += [
        *TemplateVersion.objects.all(),
        *Rate.objects.all(),
        *StandIn.objects.all(),
        Event.objects.first(),
        Condition.objects.first(),
    ]
    for row in rows:
        urls.append(reverse(f"admin:environments_{row._meta.model_name}_change", args=[row.pk]))
        urls.append(reverse(f"admin:environments_{row._meta.model_name}_history", args=[row.pk]))
    urls += [
        reverse(f"admin:environments_{name}_add")
        for name in ("cluster", "rate", "directory", "team", "template", "networkopening")
    ]
    for version in TemplateVersion.objects.all():
        urls += [
            reverse(f"admin:environments_templateversion_{p}", args=[version.pk]) for p in ("differences", "preview")
        ]
    checks = PublishCheck.objects.values_list("version", flat=True)
    urls += [reverse("admin:environments_templateversion_check", args=[pk]) for pk in checks]
    return urls


def test_every_model_of_the_product_that_people_look_after_is_there():
    found = {f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry}
    assert found == {*MODELS, "environments_invitation"}  # tests/portal/test_local_invitations.py opens those


def test_the_site_is_the_portals_own_and_shows_no_other_apps_models():
    assert admin.site.__class__ is AdminSite
    other = AdminSite(name="other")
    other.register([Group, EmailAddress, SocialApp, SocialToken, Authenticator, Event])
    assert list(other._registry) == [Event]


def test_a_platform_admin_opens_every_page_and_none_holds_anything_inline(client, ada, world):
    client.force_login(ada)
    for url in pages(world):
        response = client.get(url)
        assert response.status_code == 200, url
        page = soup(response)
        assert not page.select("[style], style"), url
        assert not page.select("script:not([src])"), url
        attributes = {name for tag in page.find_all(True) for name in tag.attrs}
        assert not {name for name in attributes if name.startswith("on")}, url
        policy = response["Content-Security-Policy"]
        assert "style-src 'self';" in policy
        assert "script-src 'self';" in policy


def test_nobody_else_opens_any_page(client, dana, max_manager, world):
    for person in (dana, max_manager):
        client.force_login(person)
        for url in pages(world):
            response = client.get(url)
            assert response.status_code in (302, 403), url
            if response.status_code == 302:
                assert client.get(response["Location"]).status_code == 403


def test_somebody_without_a_session_is_sent_to_the_portals_own_door(client, world):
    response = client.get(reverse("admin:index"))
    assert response.status_code == 302
    assert client.get(response["Location"])["Location"].startswith(reverse("account_login"))


def test_staff_who_are_no_platform_admins_stay_outside(client, dana):
    dana.is_staff = True
    dana.save()
    client.force_login(dana)
    assert client.get(reverse("admin:environments_cluster_changelist")).status_code == 302


def test_every_page_names_the_portal_and_leads_back_to_it(client, ada, settings):
    settings.PORTAL_NAME = "Parcel"
    client.force_login(ada)
    page = soup(client.get(reverse("admin:index")))
    assert page.title.get_text(strip=True).endswith("Parcel admin")
    assert page.select_one("#site-name").get_text(" ", strip=True) == "Parcel Admin"
    back = page.find("a", href=reverse("home"))
    assert back.get_text() == "Back to Parcel"
    assert page.select_one("form#logout-form")["action"] == reverse("account_logout")


def test_the_front_page_is_ordered_by_what_people_do(client, ada):
    client.force_login(ada)
    page = soup(client.get(reverse("admin:index")))
    headings = [caption.get_text(strip=True) for caption in page.select("#content-main .module caption")]
    assert headings == ["Catalog", "Infrastructure", "People", "Records"]


class TestTheRecord:
    """Environments, their steps and events are read, not written."""

    @pytest.fixture(autouse=True)
    def signed_in(self, client, ada):
        client.force_login(ada)

    def test_an_environment_offers_no_field_and_no_way_to_save_or_delete(self, client, make_environment):
        environment = make_environment()
        url = reverse("admin:environments_environment_change", args=[environment.pk])
        page = soup(client.get(url))
        assert environment.namespace in page.get_text()
        assert not page.select("#environment_form input:not([type=hidden]), #environment_form textarea")
        assert client.post(url, {"name": "other"}).status_code == 403
        for name in ("add", "delete"):
            args = [] if name == "add" else [environment.pk]
            assert client.get(reverse(f"admin:environments_environment_{name}", args=args)).status_code == 403

    def test_it_leads_to_the_environments_page_in_the_portal(self, client, make_environment):
        environment = make_environment()
        page = soup(client.get(reverse("admin:environments_environment_change", args=[environment.pk])))
        assert page.find("a", href=reverse("environment", args=[environment.namespace]))

    @pytest.mark.parametrize("word", ["checkout", "dana@example.com"])
    def test_it_is_found_by_its_name_and_its_owner(self, client, make_environment, word):
        make_environment(name="checkout")
        page = soup(client.get(reverse("admin:environments_environment_changelist"), {"q": word}))
        assert len(page.select("#result_list tbody tr")) == 1
        page = soup(client.get(reverse("admin:environments_environment_changelist"), {"q": "nothing-like-it"}))
        assert not page.select("#result_list tbody tr")

    def test_those_that_are_looked_at_again_are_owed_a_reconcile_and_the_gone_stay_gone(self, client, make_environment):
        ready = make_environment(name="one", namespace="one-abcde")
        gone = make_environment(name="two", namespace="two-abcde", phase=Phase.DELETED, deleted_at=timezone.now())
        before = {row.pk: row.generation for row in (ready, gone)}
        response = client.post(
            reverse("admin:environments_environment_changelist"),
            {"action": "look_again", "_selected_action": [str(ready.pk), str(gone.pk)]},
            follow=True,
        )
        said = [item.get_text(strip=True) for item in soup(response).select(".messagelist li")]
        assert said == ["Environments being reconciled: 1.", "1 skipped: deleted or not approved."]
        assert Environment.objects.get(pk=ready.pk).generation == before[ready.pk] + 1
        assert Environment.objects.get(pk=gone.pk).generation == before[gone.pk]
        assert ready.events.filter(kind=Activity.CHECK_REQUESTED, actor__username="ada").count() == 1

    def test_what_was_never_approved_is_not_looked_at(self, client, make_environment):
        phases = (Phase.AWAITING_APPROVAL, Phase.REJECTED, Phase.WITHDRAWN)
        rows = [make_environment(phase=phase, requested_at=timezone.now()) for phase in phases]
        response = client.post(
            reverse("admin:environments_environment_changelist"),
            {"action": "look_again", "_selected_action": [str(row.pk) for row in rows]},
            follow=True,
        )
        said = [item.get_text(strip=True) for item in soup(response).select(".messagelist li")]
        assert said == ["Environments being reconciled: 0.", "3 skipped: deleted or not approved."]
        assert not Event.objects.filter(kind=Activity.CHECK_REQUESTED).exists()

    def test_the_button_on_its_page_does_the_same_for_it_alone(self, client, make_environment):
        environment = make_environment()
        page = soup(client.get(reverse("admin:environments_environment_change", args=[environment.pk])))
        form = page.find("button", string="Reconcile now").find_parent("form")
        fields = {field["name"]: field["value"] for field in form.select("input")}
        client.post(form["action"], fields)
        assert environment.events.filter(kind=Activity.CHECK_REQUESTED).count() == 1


class TestPeople:
    """Who somebody is and what they may do comes from the identity provider."""

    @pytest.fixture(autouse=True)
    def signed_in(self, client, ada):
        client.force_login(ada)

    def test_role_flags_cannot_be_given_by_hand(self, client, dana):
        url = reverse("admin:environments_user_change", args=[dana.pk])
        page = soup(client.get(url))
        assert not page.select("[name=is_superuser], [name=is_staff], [name=is_manager], [name=email], [name=password]")
        assert "Developer" in page.select_one(".field-role_name .readonly").get_text()
        client.post(url, {"is_active": "on", "is_superuser": "on", "is_manager": "on", "email": "evil@example.com"})
        dana.refresh_from_db()
        assert (dana.is_superuser, dana.is_manager, dana.email) == (False, False, "dana@example.com")

    def test_somebody_who_left_is_made_inactive_but_never_deleted(self, client, dana):
        assert client.post(reverse("admin:environments_user_change", args=[dana.pk]), {}).status_code == 302
        dana.refresh_from_db()
        assert not dana.is_active
        assert client.get(reverse("admin:environments_user_delete", args=[dana.pk])).status_code == 403
        assert client.get(reverse("admin:environments_user_add")).status_code == 403

    def test_without_single_sign_on_local_accounts_are_made_and_given_roles_here(self, client, dana, settings):
        settings.OIDC_ISSUER, settings.LOCAL_ACCOUNTS, settings.MFA_REQUIRED_FOR = "", True, "nobody"
        assert client.get(reverse("admin:environments_user_add")).status_code == 200
        url = reverse("admin:environments_user_change", args=[dana.pk])
        page = soup(client.get(url))
        assert page.select("[name=is_manager]")
        data = {name: getattr(dana, name) for name in ("username", "email", "first_name", "last_name")}
        client.post(url, data | {"is_active": "on", "is_manager": "on"})
        dana.refresh_from_db()
        assert dana.is_manager

    def test_a_team_shows_who_is_in_it(self, client, team, dana, theo, max_manager):
        page = soup(client.get(reverse("admin:environments_team_change", args=[team.pk])))
        members = page.select_one(".field-member_list .readonly")
        assert {link.get_text() for link in members.select("a")} == {str(dana), str(theo)}
        assert str(max_manager) in page.select_one(".field-manager_list .readonly").get_text()
