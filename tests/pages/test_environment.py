"""An environment's page in each of its states, and for each of the cast."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.lib import dates, looks
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role, Status
from environments.models import Cluster, Environment, Event
from environments.reconcile.steps import STEPS
from tests.pages.reading import HTMX, facts, one, read, rows, words

USAGE = {"requests.memory": ["1863Mi", "2Gi"], "requests.cpu": ["640m", "1"], "services.loadbalancers": ["0", "0"]}
PENDING = {"status": Status.PENDING}
WAITING = {
    "Group": {"status": Status.WAITING, "message": "The directory asked us to slow down.", "attempts": 2},
    "Members": PENDING,
    "RoleBinding": PENDING,
    "Access": PENDING,
}
# The steps that are not in WAITING, and the request; the last line is Ready.
PROGRESS = f"{len(STEPS) - len(WAITING) + 1} of {len(STEPS) + 2} done"


@pytest.fixture
def page(client):
    """Look at an environment as somebody."""

    def get(environment, user, **more):
        client.force_login(user)
        return client.get(f"/environments/{environment.namespace}/", **more)

    return get


def headings(soup):
    """The cards, in their order."""
    return [words(node) for node in soup.select("#live h2, #live > .split details.card > summary")]


def test_the_facts_say_what_and_where_it_is(page, dana, make_environment):
    environment = make_environment()
    shown = facts(read(page(environment, dana)))
    assert shown["State"] == "Ready"
    assert shown["Template"] == "Namespace · Medium Version 1"
    assert shown["Cluster"] == "Amsterdam"
    assert shown["Owner"] == "Dana Example team Checkout"
    assert shown["Expires"] == f"{dates.day(environment.ends_at)} in 23 days"


def test_a_ready_environment_shows_its_dashboard_first(page, dana, make_environment):
    soup = read(page(make_environment(usage=USAGE), dana))
    assert headings(soup)[:3] == ["Ready to use", "Quota", "Access"]
    assert not one(soup, "details#steps").has_attr("open")


@pytest.mark.parametrize("phase", [Phase.PROVISIONING, Phase.FAILED])
def test_until_it_is_ready_the_timeline_leads(page, dana, make_environment, phase):
    soup = read(page(make_environment(phase=phase, conditions=WAITING), dana))
    assert headings(soup)[0] == "Progress"
    assert soup.select("#steps") == []


def test_a_degraded_one_keeps_the_dashboard_and_opens_the_steps(page, dana, make_environment):
    soup = read(page(make_environment(phase=Phase.DEGRADED, conditions=WAITING), dana))
    assert headings(soup)[0] == "Quota"
    assert one(soup, "details#steps").has_attr("open")
    assert "Connect" in headings(soup)


def test_the_timeline_says_in_words_what_is_done_and_what_is_not(page, dana, make_environment):
    soup = read(page(make_environment(phase=Phase.PROVISIONING, conditions=WAITING), dana))
    lines = [words(line.b) for line in one(soup, "[aria-labelledby=progress-title] .timeline").select("li")]
    assert lines[:2] == ["Request accepted : done", "Namespace : done"]
    assert "Directory group : waiting" in lines
    assert lines[-1] == "Ready : pending"
    assert words(one(soup, "[aria-labelledby=progress-title] header span")) == PROGRESS


def test_a_waiting_step_says_when_it_is_tried_again_and_how_often_it_was(page, dana, make_environment):
    soon = timezone.now() + timedelta(seconds=12, milliseconds=500)
    conditions = WAITING | {"Group": WAITING["Group"] | {"next_try_at": soon}}
    soup = read(page(make_environment(phase=Phase.PROVISIONING, conditions=conditions), dana))
    line = one(soup, ".timeline li.wait")
    assert words(one(line, ".aside")) == "next try in 12 seconds"
    assert "Tried 2 times." in words(line)
    notice = words(one(soup, ".notice.wait"))
    assert "The directory asked us to slow down. We retry automatically, next in 12 seconds" in notice


def test_a_failure_says_what_a_person_has_to_do(page, dana, make_environment):
    failed = {"Namespace": {"status": Status.FAILED, "message": "The name is taken.", "attempts": 1}}
    soup = read(page(make_environment(phase=Phase.FAILED, conditions=failed), dana))
    notice = one(soup, ".notice.bad")
    assert words(notice.div) == "Namespace failed. The name is taken."
    assert notice.button["form"] == "try-again"


def test_quota_is_a_number_with_a_bar_fullest_first(page, dana, make_environment):
    soup = read(page(make_environment(usage=USAGE), dana))
    items = soup.select(".quota li")
    assert [words(item) for item in items] == [
        "Memory requests 1.82 GiB of 2 GiB 90 %",
        "CPU requests 640m of 1 core 64 %",
    ]
    assert items[0].rect["width"] == "90"
    assert "Not allowed here: load balancers." in words(one(soup, "[aria-labelledby=quota-title]"))


def test_a_full_quota_is_said_above_everything_else(page, dana, make_environment):
    soup = read(page(make_environment(usage=USAGE), dana))
    assert words(one(soup, ".notice.warn:not([hidden])")).startswith("Memory requests: 90 % of the quota is used.")


def test_bars_change_their_colour_where_the_environment_s_alerts_go_out(page, dana, make_environment):
    soup = read(page(make_environment(usage=USAGE, alert_warn=60, alert_bad=90), dana))
    assert [item.svg["class"] for item in soup.select(".quota li")] == [["bar", "bad"], ["bar", "warn"]]


def test_of_hundreds_of_resources_the_fullest_are_there_at_once(page, dana, make_environment):
    usage = {f"count/things{number:03}.example.com": [str(number), "300"] for number in range(200)}
    soup = read(page(make_environment(usage=usage), dana))
    assert len(soup.select("#live .body > .quota li")) == 12
    more = one(soup, "details#more-quota")
    assert words(more.summary) == "Show 188 more"
    assert len(more.select("li")) == 188  # all are open: none of them has a quota of zero


def test_figures_of_a_cluster_that_does_not_answer_bear_their_time(page, dana, make_environment):
    environment = make_environment(usage=USAGE, usage_at=timezone.now() - timedelta(minutes=7))
    cluster = environment.cluster
    cluster.check_error, cluster.checked_at = "The portal cannot reach the cluster.", timezone.now()
    cluster.save()
    quota = one(read(page(environment, dana)), "[aria-labelledby=quota-title]")
    assert "Cluster not responding." in words(one(quota, ".notice"))
    assert "Amsterdam did not answer the last check. The portal cannot reach the cluster." in words(quota)
    assert len(quota.select(".quota li")) == 2


def test_pods_and_warnings_are_fetched_after_the_page_and_there_without_scripts(page, dana, make_environment):
    environment = make_environment(namespace_uid="u", usage=USAGE)
    region = one(read(page(environment, dana)), "#workloads")
    url = f"/environments/{environment.namespace}/workloads/"
    assert (region["hx-get"], region["hx-trigger"]) == (url, "load")
    assert one(region, "a")["href"] == url


@pytest.mark.parametrize("phase", [Phase.PROVISIONING, Phase.FAILED, Phase.DELETED])
def test_where_there_is_no_namespace_nothing_is_fetched(page, dana, make_environment, phase):
    soup = read(page(make_environment(phase=phase, namespace_uid="u"), dana))
    assert soup.select("#workloads") == []


def test_before_the_first_figures_the_limits_are_there_with_nothing_used(page, dana, make_environment):
    quota = one(read(page(make_environment(), dana)), "[aria-labelledby=quota-title]")
    assert [words(item) for item in quota.select(".quota li")] == [
        "CPU requests 0 of 1 core 0 %",
        "Memory requests 0 of 2 GiB 0 %",
        "Pods 0 of 50 0 %",
        "Services 0 of 10 0 %",
    ]
    assert "These are the limits. First usage figures arrive within a few minutes." in words(quota)


def test_a_failed_one_shows_no_limits_as_if_they_were_usage(page, dana, make_environment):
    assert read(page(make_environment(phase=Phase.FAILED), dana)).select(".quota li") == []


def test_access_is_shown_for_each_member_as_each_layer_sees_it(page, dana, theo, make_environment):
    environment = make_environment(members={theo.email: Role.DEVELOPER, "nobody@example.com": Role.VIEWER})
    environment.members.filter(email="nobody@example.com").update(
        in_group=False, bound=False, allowed=None, message="The directory knows no nobody@example.com."
    )
    table = rows(one(read(page(environment, dana)), "[aria-labelledby=access-title]"))
    assert table == [
        ["dana@example.com owner", "Admin", "✓ in the group", "✓ bound", "✓ allowed by the cluster"],
        ["theo@example.com", "Developer", "✓ in the group", "✓ bound", "✓ allowed by the cluster"],
        [
            "nobody@example.com The directory knows no nobody@example.com.",
            "Viewer",
            "missing",
            "missing",
            "pending",
        ],
    ]


def test_a_network_that_others_opened_is_not_called_isolated(page, dana, make_environment):
    message = "The portal's policies are in place, but others in this namespace allow more traffic."
    opened = {"NetworkPolicy": {"status": Status.DONE, "reason": "OpenedByOthers", "message": message}}
    notice = one(read(page(make_environment(conditions=opened), dana)), ".notice.warn:not([hidden])")
    assert words(notice.div) == f"Network isolation is not guaranteed. {message}"


def test_how_many_fields_differ_on_the_cluster_stands_with_the_objects(page, dana, make_environment):
    drift = [{"kind": "ResourceQuota", "name": "environment-quota", "field": "spec.hard.pods"}]
    card = one(read(page(make_environment(drift=drift), dana)), "details#objects")
    assert "1 field differs on the cluster." in words(card)


def test_the_objects_that_the_portal_keeps_are_named(page, dana, make_environment):
    card = one(read(page(make_environment(), dana)), "details#objects")
    assert [words(item.dt) for item in card.select("dl > div")][:2] == ["Namespace", "ResourceQuota environment-quota"]
    assert card.select("a")[-1]["href"].endswith("/objects/")


def test_owners_are_offered_the_list_of_members_and_teammates_are_not(page, dana, theo, make_environment):
    environment = make_environment()
    assert (
        one(read(page(environment, dana)), "#members-link")["href"] == f"/environments/{environment.namespace}/members/"
    )
    assert not read(page(environment, theo)).select("#members-link, #check-now")


def test_the_latest_events_lead_to_the_history(page, dana, make_environment):
    environment = make_environment()
    for number in range(10):
        Event.objects.create(environment=environment, kind=Activity.CHANGED_BY_HAND, message=f"number {number}")
    card = one(read(page(environment, dana)), "[aria-labelledby=events-title]")
    assert [len(each.select("li")) for each in card.select(".timeline")] == [1, 3]  # people first
    assert card.a["href"] == f"/environments/{environment.namespace}/history/"


def test_while_something_is_under_way_the_page_looks_again_by_itself(page, dana, make_environment):
    environment = make_environment(phase=Phase.PROVISIONING, conditions=WAITING)
    soup = read(page(environment, dana))
    live = one(soup, "#live")
    assert live["hx-get"] == f"/environments/{environment.namespace}/"
    assert live["hx-trigger"].startswith("every ")
    assert one(soup, "head noscript meta")["http-equiv"] == "refresh"


@pytest.mark.parametrize("phase", [Phase.READY, Phase.FAILED, Phase.DELETED])
def test_once_nothing_is_under_way_it_looks_again_every_half_minute_while_somebody_sees_it(
    page, dana, make_environment, phase
):
    soup = read(page(make_environment(phase=phase), dana))
    live = one(soup, "#live")
    assert live["hx-trigger"] == "every 30s, look from:body"
    assert live.has_attr("data-rests")
    assert soup.find("noscript") is None


def test_a_request_that_waits_looks_again_soon_enough_to_notice_the_approval(page, dana, make_environment):
    soup = read(page(make_environment(phase=Phase.AWAITING_APPROVAL, requested_at=timezone.now()), dana))
    assert one(soup, "#live")["hx-trigger"] == "every 2s, look from:body"
    assert one(soup, "head noscript meta")["content"] == "30"


@pytest.mark.parametrize("phase", [Phase.REJECTED, Phase.WITHDRAWN])
def test_a_closed_request_never_changes_so_its_page_does_not_look_again(page, dana, make_environment, phase):
    soup = read(page(make_environment(phase=phase, wanted=False, requested_at=timezone.now()), dana))
    assert not one(soup, "#live").has_attr("hx-trigger")


def test_the_header_follows_the_state_with_everything_else(page, dana, make_environment):
    environment = make_environment(phase=Phase.AWAITING_APPROVAL, requested_at=timezone.now(), ends_at=None)

    def actions():
        part = read(page(environment, dana, headers=HTMX))
        return [words(node) for node in part.select("#live .head .actions > *")]

    assert actions() == ["Withdraw request"]
    Environment.objects.update(phase=Phase.READY, ready_at=timezone.now() - timedelta(days=9))
    environment.members.update(added_at=timezone.now() - timedelta(days=9))
    assert actions() == ["Get kubeconfig", "Change size", "Edit details", "Delete environment"]
    Environment.objects.update(phase=Phase.DELETED, wanted=False, deleted_at=timezone.now())
    assert actions() == []


def test_a_refresh_brings_only_the_live_part(page, dana, make_environment):
    soup = read(page(make_environment(), dana, headers=HTMX))
    assert soup.find("html") is None
    assert [node["id"] for node in soup.find_all(recursive=False)] == ["live"]


def test_a_refresh_takes_no_focus_away(page, dana, make_environment):
    """What can have the focus in the live part has an id, by which htmx finds it again; forms stay outside."""
    failed = {"Namespace": {"status": Status.FAILED, "message": "Taken.", "attempts": 1}}
    for environment in (make_environment(usage=USAGE), make_environment(phase=Phase.FAILED, conditions=failed)):
        live = one(read(page(environment, dana)), "#live")
        assert [str(node)[:80] for node in live.select("a, button, summary, [tabindex]") if not node.get("id")] == []
        assert live.select("form, input") == []


def test_only_a_short_sentence_is_announced(page, dana, make_environment):
    soup = read(page(make_environment(phase=Phase.PROVISIONING, conditions=WAITING), dana))
    assert words(one(soup, "#status[role=status]")) == f"Provisioning: {PROGRESS}"
    assert one(soup, "#live").select("[aria-live], [role=status], [role=alert]") == []


def test_deletion_under_way_shows_what_is_left_to_do(page, dana, make_environment):
    stuck = {"Namespace": {"status": Status.WAITING, "message": "A finalizer holds it.", "attempts": 7}}
    soup = read(page(make_environment(phase=Phase.DELETING, conditions=stuck), dana))
    assert headings(soup) == ["Deletion", "Activity"]
    assert "Expires" not in facts(soup)
    assert soup.select(".actions a.danger") == []


def test_of_a_deleted_one_the_record_stays(page, dana, make_environment):
    soup = read(page(make_environment(phase=Phase.DELETED), dana))
    assert "You are looking at its record." in words(one(soup, "#live > .notice"))
    assert headings(soup) == ["Deletion", "Activity"]
    assert facts(soup)["Deleted"] == "just now"


def test_the_owner_and_platform_admins_can_change_it_readers_cannot(
    page, dana, theo, max_manager, ada, make_environment
):
    environment = make_environment()

    def can(user):
        return bool(read(page(environment, user)).select("#try-again, .actions a.danger"))

    assert [can(user) for user in (dana, theo, max_manager, ada)] == [True, False, False, True]


def test_a_reader_gets_no_button_to_try_again(page, theo, make_environment):
    failed = {"Namespace": {"status": Status.FAILED, "message": "Taken.", "attempts": 1}}
    notice = one(read(page(make_environment(phase=Phase.FAILED, conditions=failed), theo)), ".notice.bad")
    assert notice.find("button") is None


def test_a_stranger_finds_nothing(page, sam, make_environment):
    read(page(make_environment(), sam), status=404)


def test_trying_again_is_for_those_who_may_change_it(client, dana, theo, sam, make_environment):
    environment = make_environment(phase=Phase.FAILED)
    url = f"/environments/{environment.namespace}/try-again/"
    for user, status in ((theo, 403), (sam, 404), (dana, 302)):
        client.force_login(user)
        assert client.post(url).status_code == status
    assert Environment.objects.get().generation == 2


def test_after_trying_again_the_page_says_so(client, dana, make_environment):
    environment = make_environment(phase=Phase.FAILED)
    client.force_login(dana)
    response = client.post(f"/environments/{environment.namespace}/try-again/", follow=True)
    assert words(one(read(response), "main > .notice[role=status]:not([hidden])")) == "Checking everything now."


def test_the_number_of_queries_does_not_grow_with_members(
    client, dana, make_environment, django_assert_max_num_queries
):
    members = {f"person{number}@example.com": Role.DEVELOPER for number in range(20)}
    environment = make_environment(members=members, usage=USAGE)
    for number in range(30):
        Event.objects.create(
            environment=environment, kind=Activity.CHANGED_BY_HAND, message=f"number {number}", actor=dana
        )
    client.force_login(dana)
    with django_assert_max_num_queries(18):
        soup = read(client.get(f"/environments/{environment.namespace}/"))
    assert len(rows(one(soup, "[aria-labelledby=access-title]"))) == 21


def test_what_the_quota_does_not_count_is_told_beside_it(page, dana, make_environment):
    told = "This cluster does not count count/widgets.example.com, so the quota does not limit it."
    noted = {"Counting": {"status": Status.DONE, "reason": "Noted", "message": told, "duration_ms": 3}}
    assert words(one(read(page(make_environment(conditions=noted), dana)), "#quota-note")) == told
    assert not read(page(make_environment(usage=USAGE), dana)).select("#quota-note")


def test_objects_whose_pods_are_rejected_are_a_notice_although_the_step_is_done(page, dana, make_environment):
    told = "1 applied; Pod Security rejects the pods of Deployment web"
    done = {"Objects": {"status": Status.DONE, "reason": "PodsRejected", "message": told, "duration_ms": 3}}
    notice = one(read(page(make_environment(conditions=done), dana)), "#live .notice.warn")
    assert words(notice).startswith(f"The template's pods can't start. {told}")


def unread(environment, *kinds, error="The cluster's answer is too large to read."):
    """Let the last complete look at some kinds be three hours ago."""
    now = timezone.now()
    stored = looks.after({}, dict.fromkeys(kinds, now - timedelta(hours=3, seconds=1)), {}, now)
    failed = dict.fromkeys(kinds, error)
    Cluster.objects.filter(pk=environment.cluster.pk).update(kind_looks=looks.after(stored, {}, failed, now))
    Environment.objects.filter(pk=environment.pk).update(ready_at=now - timedelta(days=7))


def test_ready_is_not_said_of_what_could_not_be_read(page, client, dana, make_environment):
    environment = make_environment()
    unread(environment, "NetworkPolicy")
    soup = read(page(environment, dana))
    notice = words(one(soup, ".notice.warn:not([hidden])"))
    assert "Not everything here could be checked. NetworkPolicies here were last read in full 3 hours ago." in notice
    assert "it does not notice if someone changes them. The cluster's answer is too large to read." in notice
    assert facts(soup)["State"] == "Not fully checked"
    assert words(one(soup, "#status")) == "Not fully checked"
    steps = [words(line.b) for line in one(soup, "#steps .timeline").select("li")]
    assert steps[-1] == "Ready : not fully checked"
    shown = [words(line) for line in one(soup, "#objects").select(".things div")]
    assert [line for line in shown if "deny-all" in line] == [
        "NetworkPolicy deny-all blocks all traffic (last read 3 hours ago )"
    ]
    assert not [line for line in shown if "LimitRange" in line and "last read" in line]
    assert "Not fully checked" in client.get("/environments/").content.decode()


def test_a_kind_that_it_has_none_of_says_nothing_of_it(page, dana, make_environment):
    environment = make_environment()
    unread(environment, "Deployment")
    soup = read(page(environment, dana))
    assert facts(soup)["State"] == "Ready"
    assert not soup.select(".notice.warn:not([hidden])")
