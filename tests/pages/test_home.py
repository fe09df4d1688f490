"""The home page: what needs the reader, their environments, their teams', recent activity, and the catalog."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role, Status
from environments.models import AccessRequest, Cluster, Environment, Event, TemplateVersion
from tests.pages.reading import one, read, words


@pytest.fixture
def home(client):
    """Open the home page as somebody."""

    def get(user, query=""):
        client.force_login(user)
        return read(client.get(f"/{query}"))

    return get


@pytest.fixture
def send(client):
    """Send the form of a button, as somebody who is signed in already."""

    def post(button, **more):
        form = button.find_parent("form")
        sent = {field["name"]: field.get("value", "") for field in form.select("input[name], button[name]")}
        return client.post(form["action"], sent | more)

    return post


def needs(soup):
    """The lines of what needs the reader, each with its links and buttons."""
    return [(words(line.p), [words(each) for each in line.select("a, button")]) for line in soup.select(".needs li")]


def headings(soup):
    return [words(heading) for heading in soup.select("main h2")]


class TestWhoIsNew:
    def test_a_newcomer_gets_the_catalog_and_how_it_works(self, home, sam, template_version):
        soup = home(sam)
        assert words(soup.h1) == "Catalog"
        assert "You get your own namespace on a shared cluster" in words(one(soup, ".head p"))
        assert soup.select("article.offer")

    def test_a_teammate_without_environments_is_new_too(self, home, theo, make_environment):
        make_environment()
        assert words(home(theo).h1) == "Catalog"

    def test_an_admin_of_an_empty_portal_is_new(self, home, ada, template_version):
        assert words(home(ada).h1) == "Catalog"

    def test_a_member_is_not(self, home, theo, make_environment):
        make_environment(members={theo.email: Role.VIEWER})
        assert words(home(theo).h1) == "Home"

    def test_who_only_had_some_is_new_again(self, home, dana, make_environment):
        make_environment(phase=Phase.DELETED)
        assert words(home(dana).h1) == "Catalog"

    def test_old_addresses_of_the_search_still_find_templates(self, home, dana, make_environment):
        make_environment()
        assert [words(card.h2) for card in home(dana, "?q=namespace").select("article")] == ["Namespace"]


class TestEnvironments:
    def test_a_line_says_how_one_of_mine_stands(self, home, dana, make_environment):
        make_environment(usage={"requests.memory": ["1Gi", "2Gi"]})
        soup = home(dana)
        row = one(soup, "tbody tr")
        assert words(row.th) == "Checkout refunds Namespace · Medium · Amsterdam"
        assert [words(cell) for cell in row.find_all("td")] == [
            "Ready",
            "50 % Memory requests",
            "in 23 days",
            "Download kubeconfig of Checkout refunds",
        ]
        assert headings(soup) == ["Your environments", "Recent activity", "Catalog"]

    def test_a_kubeconfig_is_one_click_away(self, home, dana, make_environment, cluster):
        environment = make_environment()
        form = one(home(dana), f"form[action='/environments/{environment.namespace}/kubeconfig/token/']")
        assert one(form, "input[name=hours]")["value"] == "8"
        assert one(form, "input[name=csrfmiddlewaretoken]")["value"]
        Cluster.objects.update(access=Cluster.Access.OIDC)
        link = one(home(dana), "td a.button")
        assert link["href"] == f"/environments/{environment.namespace}/kubeconfig/oidc/"

    @pytest.mark.parametrize("phase", [Phase.PROVISIONING, Phase.AWAITING_APPROVAL, Phase.DELETING, Phase.FAILED])
    def test_there_is_none_before_it_can_be_used(self, home, dana, make_environment, phase):
        make_environment(phase=phase)
        assert home(dana).select("td form, td a.button") == []

    def test_there_is_none_before_the_cluster_confirms_the_access(self, home, dana, make_environment):
        make_environment().members.update(allowed=None)
        assert words(home(dana).select("tbody tr td")[-1]) == "not ready yet"

    def test_my_teams_are_below_with_their_owner(self, home, dana, theo, make_environment):
        make_environment(name="Mine")
        make_environment(theo, name="Theirs")
        soup = home(dana)
        assert headings(soup)[:2] == ["Your environments", "Your teams' environments"]
        mine, others = soup.select("table")
        assert [words(link) for link in mine.select("tbody th a")] == ["Mine"]
        assert [words(cell) for cell in others.select("tbody td")] == ["Ready", "Theo Example", "no usage yet"]

    def test_a_manager_has_their_teams_without_any_of_their_own(self, home, max_manager, make_environment):
        make_environment()
        assert headings(home(max_manager))[0] == "Your teams' environments"

    def test_strangers_environments_are_not_there(self, home, sam, dana, make_environment, make_template):
        make_environment(name="Secret")
        other = make_template("other")
        make_environment(sam, name="Sams", team=None, version=other)
        assert "Secret" not in words(home(sam).main)

    def test_an_update_is_named_at_the_line(self, home, dana, make_environment):
        environment = make_environment()
        assert "update available" not in words(home(dana).main)
        environment.version.template.versions.update(state="retired")
        TemplateVersion.objects.create(
            template=environment.version.template, number=2, state="published", spec=environment.spec
        )
        assert "update available" in words(one(home(dana), "tbody th"))

    def test_more_than_a_glance_is_in_the_list(self, home, dana, make_environment):
        for number in range(9):
            make_environment(name=f"Load {number}")
        soup = home(dana)
        assert len(soup.select("tbody tr")) == 8
        link = one(soup, "[aria-labelledby=mine-title] header a")
        assert (words(link), link["href"]) == ("All 9 of your environments", "/environments/?mine=on")


class TestNeeds:
    def test_nothing_is_said_to_be_nothing(self, home, dana, make_environment):
        make_environment()
        soup = home(dana)
        assert needs(soup) == []
        assert words(one(soup, ".head p")) == "Nothing needs your attention."

    def test_a_failure_with_its_reason(self, home, dana, ada, theo, make_environment):
        failed = {"Namespace": {"status": Status.FAILED, "message": "The cluster refused."}}
        make_environment(phase=Phase.FAILED, conditions=failed, members={theo.email: Role.VIEWER})
        line = ("Checkout refunds failed The cluster refused.", ["Open Checkout refunds"])
        assert needs(home(dana)) == [line]
        assert needs(home(ada)) == [line]
        assert needs(home(theo)) == []  # they can do nothing about it

    def test_decisions_with_the_oldest(self, home, dana, max_manager, ada, make_environment):
        for hours in (30 * 24, 2):
            asked = timezone.now() - timedelta(hours=hours)
            make_environment(phase=Phase.AWAITING_APPROVAL, requested_at=asked)
        line = ("2 requests wait for your decision The oldest was requested 30 days ago.", ["Review"])
        assert [needs(home(user)) for user in (max_manager, ada)] == [[line], [line]]
        assert needs(home(dana)) == []

    def test_somebody_who_asks_for_access(self, home, dana, theo, make_environment):
        environment = make_environment()
        AccessRequest.objects.create(environment=environment, person=theo)
        [(text, actions)] = needs(home(dana))
        assert text == "Theo Example requests access to Checkout refunds Asked just now."
        assert actions == ["Decide Checkout refunds"]

    def test_an_end_with_the_button_that_extends(self, home, send, dana, make_environment):
        now = timezone.now()
        life = {"created_at": now - timedelta(days=20), "ends_at": now + timedelta(days=3, hours=1)}
        environment = make_environment(**life)
        soup = home(dana)
        [(text, actions)] = needs(soup)
        assert text == "Checkout refunds expires in 3 days It and everything in it will be deleted."
        assert actions[0].startswith("Extend Checkout refunds to ")
        assert send(one(soup, ".needs button")).status_code == 302
        environment.refresh_from_db()
        assert environment.ends_at > timezone.now() + timedelta(days=29)
        assert environment.events.filter(kind=Activity.EXTENDED, actor=dana).exists()

    def test_what_lives_for_days_is_news_only_near_its_end(self, home, dana, make_environment):
        now = timezone.now()
        make_environment(created_at=now - timedelta(hours=1), ends_at=now + timedelta(days=3))
        assert needs(home(dana)) == []
        Environment.objects.update(created_at=now - timedelta(days=6), ends_at=now + timedelta(hours=20))
        assert len(needs(home(dana))) == 1

    def test_short_lives_do_not_hide_an_end(self, home, dana, make_environment):
        now = timezone.now()
        for number in range(4):
            make_environment(name=f"PR {number}", created_at=now, ends_at=now + timedelta(days=2))
        make_environment(name="Long", created_at=now - timedelta(days=20), ends_at=now + timedelta(days=9))
        assert [text.split(" expires")[0] for text, _ in needs(home(dana))] == ["Long"]

    def test_a_nearly_full_quota_from_its_own_threshold_on(self, home, dana, make_environment):
        environment = make_environment(usage={"pods": ["41", "50"], "requests.cpu": ["100m", "1"]})
        assert needs(home(dana)) == [
            ("Checkout refunds: pods at 82 % of the quota 41 of 50.", ["Open Checkout refunds"])
        ]
        Environment.objects.filter(pk=environment.pk).update(alert_warn=85)
        assert needs(home(dana)) == []

    def test_what_a_leaver_left_behind(self, home, dana, max_manager, make_environment):
        make_environment(orphaned_at=timezone.now(), orphaned_why="Dana's account was disabled.")
        [(text, actions)] = needs(home(max_manager))
        assert text == "Checkout refunds has no owner Dana's account was disabled."
        assert actions == ["Hand over Checkout refunds"]

    def test_an_admins_home_has_no_ends_and_quotas_of_others(self, home, ada, make_environment):
        make_environment(ends_at=timezone.now() + timedelta(days=2), usage={"pods": ["50", "50"]})
        assert needs(home(ada)) == []

    def test_many_of_a_kind_are_three_lines_and_a_link(self, home, dana, make_environment):
        for number in range(5):
            make_environment(phase=Phase.FAILED, name=f"Load {number}")
        found = needs(home(dana))
        assert len(found) == 4
        assert found[-1] == ("2 more failed", ["Show all"])

    def test_what_is_over_needs_nobody(self, home, dana, make_environment):
        make_environment(name="Alive")
        make_environment(phase=Phase.DELETED, ends_at=timezone.now(), usage={"pods": ["50", "50"]})
        assert needs(home(dana)) == []


class TestActivity:
    def test_people_come_first_and_each_line_names_its_environment(self, home, dana, make_environment):
        environment = make_environment()
        Event.record(environment, None, Activity.REPAIRED, "The quota was restored.")
        lines = [words(line) for line in home(dana).select(".timeline li")]
        assert [line.split(" ")[0] for line in lines] == ["Requested", "Repaired"]
        assert "Checkout refunds : Requested." in lines[0]

    def test_repeats_fold_within_an_environment_and_not_across(self, home, dana, make_environment):
        first, second = make_environment(name="One"), make_environment(name="Two")
        Event.objects.all().delete()
        for environment in (first, first, second):
            Event.record(environment, None, Activity.REPAIRED, "The quota was restored.")
        lines = [words(line) for line in home(dana).select(".timeline li")]
        assert len(lines) == 2
        assert "2 times since" in lines[1]

    def test_what_is_long_ago_is_left_to_the_history(self, home, dana, make_environment):
        make_environment()
        Event.objects.update(at=timezone.now() - timedelta(days=15))
        assert "Recent activity" not in headings(home(dana))


def test_the_catalog_is_below_as_far_as_a_glance_goes(home, dana, make_environment, make_template):
    make_environment()
    for number in range(7):
        make_template(f"template-{number}")
    soup = home(dana)
    assert len(soup.select("article.offer h3")) == 6
    assert words(one(soup, ".between a")) == "All 8 templates"


def test_the_number_of_queries_does_not_grow(client, dana, theo, make_environment, django_assert_max_num_queries):
    for number in range(9):
        make_environment(name=f"Mine {number}", usage={"pods": ["49", "50"]}, ends_at=timezone.now())
        make_environment(theo, name=f"Theirs {number}")
        make_environment(phase=Phase.FAILED)
    client.force_login(dana)
    with django_assert_max_num_queries(22):
        read(client.get("/"))
