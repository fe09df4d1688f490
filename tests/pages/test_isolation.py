"""Where a test found that a cluster's network does not isolate, no page says that it does, and admins are told."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from environments.actions import isolation as isolation_actions
from environments.kube.probe_pods import CLOSED, OPEN
from environments.lib.isolation import NOT_ISOLATING, SENTENCES, WARNINGS, Isolation
from environments.lib.phases import Status
from environments.models import Cluster, IsolationTest
from environments.reconcile.isolation import STAGES
from tests.pages.reading import one, read, rows, words

PUBLIC = [each for each in Isolation if each not in NOT_ISOLATING]


@pytest.fixture
def found(cluster):
    """A test of Amsterdam had this result."""

    def store(result: Isolation, row: Cluster = cluster, **more) -> Cluster:
        changes = {"isolation": result, "isolation_tested_at": timezone.now(), "is_simulated": False}
        Cluster.objects.filter(pk=row.pk).update(**changes | more)
        row.refresh_from_db()
        return row

    return store


def tags(soup) -> list[str]:
    return [words(each) for each in soup.select(".tags li")]


@pytest.mark.parametrize("result", NOT_ISOLATING)
def test_an_environment_there_says_so_and_does_not_say_isolated(client, dana, make_environment, found, result):
    environment = make_environment(conditions={"NetworkPolicy": {"status": Status.DONE, "message": "All is blocked"}})
    found(result)
    client.force_login(dana)
    soup = read(client.get(f"/environments/{environment.namespace}/"))
    warning = WARNINGS[result].format(cluster="Amsterdam")
    notice = one(soup, ".notice.warn:not([hidden])")
    assert words(notice) == f"Network isolation is not guaranteed. {warning}"
    assert not notice.select("button"), "trying again changes nothing"
    assert "All is blocked" not in words(soup)


@pytest.mark.parametrize("result", ["", *PUBLIC])
def test_an_environment_elsewhere_says_what_its_policies_do(client, dana, make_environment, found, result):
    environment = make_environment(conditions={"NetworkPolicy": {"status": Status.DONE, "message": "All is blocked"}})
    found(result)
    client.force_login(dana)
    soup = read(client.get(f"/environments/{environment.namespace}/"))
    assert not soup.select(".notice.warn:not([hidden])")
    assert "All is blocked" in words(soup)


class TestTheCatalog:
    def test_where_no_cluster_of_the_template_isolates(self, client, dana, template_version, found):
        found(Isolation.NONE)
        client.force_login(dana)
        assert "network not isolated + DNS" in tags(read(client.get("/")))

    def test_where_one_of_several_does_not(self, client, dana, template_version, found):
        found(Isolation.EGRESS_ONLY)
        found(Isolation.ENFORCED, Cluster.objects.create(slug="berlin", name="Berlin"))
        client.force_login(dana)
        assert "isolated network, except on Amsterdam + DNS" in tags(read(client.get("/")))

    def test_a_cluster_that_the_template_does_not_use_says_nothing_of_it(
        self, client, dana, template_version, cluster, found
    ):
        template_version.template.clusters.add(cluster)
        found(Isolation.NONE, Cluster.objects.create(slug="berlin", name="Berlin"))
        client.force_login(dana)
        assert "isolated network + DNS" in tags(read(client.get("/")))
        assert not read(client.get("/catalog/namespace/")).select(".notice.warn")

    def test_the_templates_page_names_the_cluster(self, client, dana, template_version, found):
        found(Isolation.NONE)
        client.force_login(dana)
        notice = one(read(client.get("/catalog/namespace/")), ".notice.warn")
        warning = WARNINGS[Isolation.NONE].format(cluster="Amsterdam")
        assert words(notice) == f"Network isolation is not guaranteed on Amsterdam. {warning}"

    def test_a_request_is_told_of_its_cluster(self, client, dana, template_version, directory, found):
        client.force_login(dana)
        found(Isolation.ENFORCED)
        assert "Isolated network" in words(one(read(client.get("/catalog/namespace/request/")), "#preview"))
        found(Isolation.NONE)
        aside = words(one(read(client.get("/catalog/namespace/request/")), "#preview"))
        assert "Network (not enforced here) The network of Amsterdam does not enforce network policies" in aside
        assert "Isolated network" not in aside


class TestTheAdmin:
    @pytest.fixture(autouse=True)
    def signed_in(self, client, ada):
        client.force_login(ada)

    def page(self, client, row: Cluster, name: str = "change"):
        return read(client.get(reverse(f"admin:environments_cluster_{name}", args=[row.pk])))

    def keep(self, row: Cluster, ada, **more) -> IsolationTest:
        return IsolationTest.objects.create(cluster=row, asked_by=ada, image="registry.example.com/busybox:1", **more)

    @pytest.mark.parametrize("place", ["admin:index", "admin:environments_cluster_changelist"])
    def test_the_front_page_and_the_list_tell(self, client, found, place):
        row = found(Isolation.NONE)
        alert = one(read(client.get(reverse(place))), ".says.bad[role=alert]")
        assert words(alert).startswith(
            "Environments on Amsterdam are not isolated: network policies are not enforced (tested"
        )
        assert alert.a["href"] == reverse("admin:environments_cluster_change", args=[row.pk])
        for result in PUBLIC:
            found(result)
            assert not read(client.get(reverse(place))).select("[role=alert]")

    def test_the_clusters_page_says_result_and_time(self, client, found):
        row = found(Isolation.DNS_CLOSED)
        said = one(self.page(client, row), ".field-isolation_found .standing")
        assert words(said.p) == SENTENCES[Isolation.DNS_CLOSED]
        assert "Tested" in words(said)

    def test_a_later_test_without_a_result_is_said_beside_it(self, client, ada, found):
        row = found(Isolation.NONE)
        more = {"state": "over", "result": "unclear", "message": "No node ran it.", "ended_at": timezone.now()}
        self.keep(row, ada, **more)
        said = words(one(self.page(client, row), ".field-isolation_found .standing"))
        assert SENTENCES[Isolation.NONE] in said
        assert "was inconclusive: No node ran it." in said

    def test_a_cluster_without_a_test_offers_it(self, client, found):
        row = found("")
        page = self.page(client, row)
        assert "Not tested." in words(one(page, ".field-isolation_found"))
        assert one(page, f'form[action="{reverse("admin:environments_cluster_test_isolation", args=[row.pk])}"]')

    def test_a_simulated_cluster_says_that_it_has_no_network(self, client, found, enqueued):
        row = found("", is_simulated=True)
        page = self.page(client, row)
        assert "It has no nodes and no network" in words(one(page, ".field-isolation_found"))
        address = reverse("admin:environments_cluster_test_isolation", args=[row.pk])
        assert not page.select(f'form[action="{address}"]')
        answer = client.post(address, follow=True)
        assert "Amsterdam is simulated." in answer.content.decode()
        assert not IsolationTest.objects.exists()

    def test_the_button_begins_a_test_that_is_recorded_and_followed(
        self, client, ada, found, enqueued, django_capture_on_commit_callbacks
    ):
        row = found("")
        with django_capture_on_commit_callbacks(execute=True):
            answer = client.post(reverse("admin:environments_cluster_test_isolation", args=[row.pk]), follow=True)
        test = IsolationTest.objects.get()
        assert (test.cluster, test.asked_by, test.state) == (row, ada, "running")
        assert [each.arguments for each in enqueued.messages] == [(test.pk, str(test.run), 0)]
        soup = read(answer)
        assert one(soup, "meta[http-equiv=refresh]")
        assert "The test is running." in words(one(soup, "[role=status]"))
        log = row_log(row)
        assert log == ["Test of the network isolation requested."]

    def test_its_page_shows_each_stage(self, client, ada, found):
        row = found("")
        codes = {stage.name: {"reach": OPEN, "dns": OPEN if stage.dns else CLOSED} for stage in STAGES[:3]}
        self.keep(row, ada, found=codes, step="egress")
        table = rows(one(self.page(client, row, "isolation"), "table.plain"))
        assert table[:4] == [
            ["No policy", "reached", "reached", "yes"],
            ["Incoming traffic denied", "reached", "reached", "no"],
            ["No policy", "reached", "reached", "yes"],
            ["Outgoing traffic denied", "–", "–", "running"],
        ]

    def test_a_test_that_lost_its_worker_says_so(self, client, ada, found):
        row = found("")
        self.keep(row, ada, at=timezone.now() - timedelta(minutes=2))
        soup = self.page(client, row, "isolation")
        assert "No worker has continued this test" in words(one(soup, "[role=alert]"))
        assert not soup.select("meta[http-equiv=refresh]")

    def test_only_admins_may_and_only_by_post(self, client, dana, found):
        row = found("")
        address = reverse("admin:environments_cluster_test_isolation", args=[row.pk])
        assert client.get(address).status_code == 405
        client.force_login(dana)
        assert client.post(address).status_code in (302, 403, 404)
        assert not IsolationTest.objects.exists()

    def test_a_second_press_begins_no_other(self, client, ada, found, enqueued):
        row = found("")
        first = isolation_actions.start(row, ada)
        client.post(reverse("admin:environments_cluster_test_isolation", args=[row.pk]))
        assert IsolationTest.objects.get().run == first.run


def row_log(row: Cluster) -> list[str]:
    return [each.get_change_message() for each in LogEntry.objects.filter(object_id=str(row.pk))]
