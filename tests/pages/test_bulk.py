"""One action on several environments: shown first with what would be refused, then done one by one."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from environments import spec as template_spec
from environments.actions import bulk
from environments.lib import dates
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import Environment, Event, TemplateVersion
from tests.makers import SPEC
from tests.pages.reading import labelled, one, read, words

URL = "/bulk/"


@pytest.fixture
def three(make_environment):
    """Two that expire in a week, and one that is being deleted."""
    week = timezone.now() + timedelta(days=7)
    return [
        make_environment(name="One", ends_at=week),
        make_environment(name="Two", ends_at=week),
        make_environment(name="Gone", phase=Phase.DELETING),
    ]


@pytest.fixture
def review(client, ada):
    """Open the page that shows what an action would do."""
    client.force_login(ada)

    def get(verb, rows, status=200, **more):
        return read(client.get(URL, {"do": verb, "on": [row.namespace for row in rows]} | more), status)

    return get


@pytest.fixture
def confirm(client):
    """Send the form of that page."""

    def post(soup, status=200, **more):
        sent = {}
        for field in one(soup, "main form[method=post]").select("input[name]"):
            sent.setdefault(field["name"], []).append(field.get("value", ""))
        return read(client.post(URL, sent | more), status)

    return post


def results(soup, title):
    """The table under a heading: name and sentence of each environment."""
    table = one(soup, f"[aria-labelledby={title}]")
    return {words(row.th.a): words(row.td) for row in table.select("tbody tr")}


def test_only_platform_admins_can(client, dana, max_manager, three):
    for user in (dana, max_manager):
        client.force_login(user)
        asked = {"do": "delete", "on": three[0].namespace}
        assert client.get(URL, asked).status_code == 403
        assert client.post(URL, asked | {"number": 1}).status_code == 403
        assert "bulk" not in str(client.get("/environments/").content)
    assert Environment.objects.get(pk=three[0].pk).wanted


def test_the_list_has_a_box_for_each_and_the_actions(client, ada, three):
    client.force_login(ada)
    soup = read(client.get("/environments/?q=o&sort=name"))
    form = one(soup, "form#bulk")
    assert (form["method"], form["action"]) == ("get", URL)
    assert one(form, "input[name=back]")["value"] == "q=o&sort=name"
    assert [option["value"] for option in form.select("option")] == ["extend", "move", "hand-over", "delete"]
    boxes = soup.select("tbody input[form=bulk][name=on]")
    assert {box["value"] for box in boxes} == {row.namespace for row in three}
    assert labelled(soup, "Select One") in boxes


def test_a_review_changes_nothing_and_says_what_is_refused_and_why(review, three):
    soup = review("extend", three)
    assert words(soup.h1) == "Extend: 3 environments"
    accepted = results(soup, "accepted-title")
    assert set(accepted) == {"One", "Two"}
    assert re.fullmatch(r"Expires \d+ \w+ \d+ instead of \d+ \w+ \d+\.", accepted["One"])
    assert results(soup, "refused-title") == {"Gone": "This environment is being deleted and can't be changed."}
    assert not Event.objects.filter(kind=Activity.EXTENDED).exists()
    assert set(Environment.objects.values_list("extensions", flat=True)) == {0}


def test_why_an_environment_cannot_be_extended(review, make_environment, template_version):
    now, day = timezone.now(), timedelta(days=1)
    rows = [
        make_environment(name="Early", ends_at=now + 20 * day),
        make_environment(name="Endless", ends_at=None),
        make_environment(name="Asked", phase=Phase.AWAITING_APPROVAL, ends_at=None),
    ]
    limited = SPEC | {"extension": {"maximum_days": 30}}
    spec = template_spec.dump(template_spec.parse(limited))
    rows.append(make_environment(name="Last", spec=spec, created_at=now - 29 * day, ends_at=now + day))
    assert results(review("extend", rows), "refused-title") == {
        "Early": f"This environment can be extended from {dates.day(now + 6 * day)} on.",
        "Endless": "This environment has no end date.",
        "Asked": "This request is waiting for approval.",
        "Last": "This environment cannot be extended any further.",
    }


def test_what_was_shown_is_done_and_each_is_recorded(review, confirm, ada, three):
    soup = review("extend", three)
    promised = results(soup, "accepted-title")
    done = confirm(soup)
    assert words(done.h1) == "2 of 2 extended"
    assert results(done, "accepted-title") == promised
    assert Event.objects.filter(kind=Activity.EXTENDED, actor=ada).count() == 2


def test_sending_it_twice_extends_once(review, confirm, three):
    soup = review("extend", three)
    confirm(soup)
    again = confirm(soup)
    assert words(again.h1) == "0 of 2 extended"
    assert results(again, "refused-title")["One"].startswith("It already expires ")
    assert sorted(Environment.objects.values_list("extensions", flat=True)) == [0, 1, 1]


def test_a_request_that_was_changed_by_hand_is_refused(review, confirm, three):
    soup = review("extend", three[:1])
    for text in ("soon", "2026-12-01", "9999-12-31T00:00:00+00:00"):
        done = confirm(soup, **{f"shown-{three[0].namespace}": text})
        assert words(done.h1) == "0 of 1 extended"
    assert Environment.objects.get(pk=three[0].pk).extensions == 0


@pytest.fixture
def newer(template_version):
    """Version 2 of the usual template, without the size small."""
    TemplateVersion.objects.filter(pk=template_version.pk).update(state="retired")
    spec = SPEC | {"sizes": SPEC["sizes"][1:]}
    return TemplateVersion.objects.create(
        template=template_version.template,
        number=2,
        state="published",
        spec=template_spec.dump(template_spec.parse(spec)),
    )


def test_moving_to_a_version_one_by_one(review, confirm, ada, make_environment, newer):
    rows = [make_environment(name="One"), make_environment(name="Small", size="small")]
    soup = review("move", rows)
    assert results(soup, "accepted-title") == {"One": "Version 2 instead of 1."}
    assert results(soup, "refused-title") == {"Small": "This version has no size Small."}
    confirm(soup)
    assert [Environment.objects.get(pk=row.pk).version.number for row in rows] == [2, 1]
    assert Event.objects.filter(kind=Activity.VERSION_CHANGED, actor=ada).count() == 1


def test_a_version_published_since_the_review_is_not_moved_to(review, confirm, make_environment, newer):
    row = make_environment()
    soup = review("move", [row])
    TemplateVersion.objects.filter(pk=newer.pk).update(state="retired")
    TemplateVersion.objects.create(template=newer.template, number=3, state="published", spec=newer.spec)
    done = confirm(soup)
    assert "no longer the published one" in results(done, "refused-title")["Checkout refunds"]
    assert Environment.objects.get(pk=row.pk).version.number == 1


def test_handing_over_asks_for_the_owner_first(review, confirm, theo, dana, ada, three):
    soup = review("hand-over", three[:2])
    assert labelled(soup, "New owner")
    assert soup.select("main form[method=post]") == []
    soup = review("hand-over", three[:2], address=theo.email, keep="viewer")
    says = "Belongs to Theo Example instead of Dana Example, who keeps the role viewer."
    assert results(soup, "accepted-title") == {"One": says, "Two": says}
    assert Environment.objects.get(pk=three[0].pk).owner == dana
    confirm(soup)
    assert Environment.objects.get(pk=three[0].pk).owner == theo
    assert three[0].members.get(email=dana.email).role == Role.VIEWER
    assert Event.objects.filter(kind=Activity.OWNER_CHANGED, actor=ada).count() == 2


def test_a_review_counts_what_only_the_number_makes_too_much(review, theo, three, template_version):
    template_version.template.per_person = 1
    template_version.template.save()
    soup = review("hand-over", three[:2], address=theo.email, keep="none")
    assert len(results(soup, "accepted-title")) == 1
    assert "of at most 1 environments" in next(iter(results(soup, "refused-title").values()))


def test_a_wrong_new_owner_is_said_at_the_field(review, three):
    soup = review("hand-over", three[:1], status=422, address="nonsense", keep="")
    assert [words(each) for each in soup.select(".field .error li")] == [
        "Enter a valid email address.",
        "Choose what the current owners keep.",
    ]
    soup = review("hand-over", three[:1], address="nobody@example.com", keep="none")
    assert "must sign in" in results(soup, "refused-title")["One"]
    assert soup.select("main form[method=post] button") == []


def test_deleting_takes_the_typed_number(review, confirm, ada, three):
    soup = review("delete", three)
    assert labelled(soup, "Type 2 to confirm")
    for wrong in ("", "3", "two"):
        again = confirm(soup, status=422, number=wrong)
        assert words(one(again, ".field .error li")).startswith("Type ")
    assert Environment.objects.filter(wanted=True).count() == 2
    done = confirm(soup, number="2")
    assert words(done.h1) == "2 of 2 being deleted"
    assert Environment.objects.filter(wanted=True).count() == 0
    assert Event.objects.filter(kind=Activity.DELETION_REQUESTED, actor=ada).count() == 2


def test_a_request_that_was_approved_since_the_review_is_not_deleted(review, confirm, make_environment):
    row = make_environment(phase=Phase.AWAITING_APPROVAL, requested_at=timezone.now())
    soup = review("delete", [row])
    assert results(soup, "accepted-title") == {"Checkout refunds": "The request is withdrawn."}
    Environment.objects.update(phase=Phase.PROVISIONING)
    done = confirm(soup, number="1")
    assert results(done, "refused-title") == {"Checkout refunds": "This environment has changed. Review it again."}
    assert Environment.objects.get(pk=row.pk).wanted


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"do": "extend"}, "Select at least one environment."),
        ({"do": "nonsense", "on": "x"}, "Choose an action."),
        ({"do": "extend", "on": [str(n) for n in range(bulk.MOST + 1)]}, "Select at most 50 environments at once"),
    ],
)
def test_what_cannot_be_asked_leads_back_to_the_list_with_a_sentence(client, ada, asked, sentence):
    client.force_login(ada)
    for method in (client.get, client.post):
        response = method(URL, asked | {"back": "q=x&phase=Ready"})
        assert response["Location"] == "/environments/?q=x&phase=Ready"
        assert sentence in words(one(read(client.get("/environments/")), ".notice.warning"))


def test_what_is_not_there_is_counted(review, three):
    assert review("extend", three[:1]).select(".notice") == []
    three[1].namespace = "missing-1"
    soup = review("extend", three[:2])
    assert words(one(soup, ".notice.warn")) == "1 of the selected environments was not found."


def test_the_way_back_never_leaves_the_portal(review, three):
    soup = review("extend", three[:1], back="//evil.example.com/?q=x")
    assert one(soup, ".crumbs a")["href"].startswith("/environments/?")
