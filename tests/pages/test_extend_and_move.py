"""Putting the end off, and moving to a newer version of the template."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments import spec as template_spec
from environments.lib import dates
from environments.lib.activity import Activity
from environments.models import Environment, TemplateVersion
from tests.makers import SPEC
from tests.pages.reading import facts, one, read, words


@pytest.fixture
def environment(make_environment):
    return make_environment(usage={"pods": ["40", "50"]}, ends_at=timezone.now() + timedelta(days=10))


@pytest.fixture
def visit(client, environment):
    """Open a page of the environment as somebody, or send to it."""

    def go(user, page="", method="get", **sent):
        client.force_login(user)
        return getattr(client, method)(f"/environments/{environment.namespace}/{page}", sent)

    return go


@pytest.fixture
def newer(environment):
    """Version 2, which grants fewer pods."""
    environment.version.template.versions.update(state="retired")
    sizes = [size | {"quota": size["quota"] | {"pods": "30"}} for size in SPEC["sizes"]]
    return TemplateVersion.objects.create(
        template=environment.version.template,
        number=2,
        state="published",
        spec=template_spec.dump(template_spec.parse(SPEC | {"sizes": sizes})),
    )


def test_the_owner_can_put_the_end_off_and_is_told(visit, dana, environment):
    button = one(read(visit(dana)), ".actions button[form=extend]")
    assert words(button).startswith("Extend to ")
    assert visit(dana, "extend/", "post", until=button["value"]).status_code == 302
    soup = read(visit(dana))
    day = words(button).removeprefix("Extend to ")
    assert words(one(soup, "main > .notice.success")) == f"Environment extended to {day}."
    assert facts(soup)["Expires"] == f"{day} in 30 days"


def test_a_click_on_a_page_from_before_extends_nothing_a_second_time(visit, dana, environment):
    button = one(read(visit(dana)), ".actions button[form=extend]")
    for _ in range(2):
        visit(dana, "extend/", "post", until=button["value"])
    environment.refresh_from_db()
    assert environment.ends_at.isoformat() == button["value"]
    assert environment.events.filter(kind=Activity.EXTENDED).count() == 1


def test_an_end_that_no_page_offered_is_refused(visit, dana, environment):
    later = environment.ends_at + timedelta(days=300)
    for until in ("", "tomorrow", "2026-11-29T10:16:00", later.isoformat()):
        visit(dana, "extend/", "post", until=until)
        assert one(read(visit(dana)), "main > .notice.error")
    ends = environment.ends_at
    environment.refresh_from_db()
    assert environment.ends_at == ends


def test_before_the_last_two_weeks_there_is_nothing_to_extend(visit, dana):
    Environment.objects.update(ends_at=timezone.now() + timedelta(days=15))
    assert read(visit(dana)).select("[form=extend]") == []


def test_a_reader_cannot(visit, theo, sam):
    assert read(visit(theo)).select("[form=extend]") == []
    assert [visit(user, "extend/", "post").status_code for user in (theo, sam)] == [403, 404]


def test_an_end_that_is_near_is_said_above_everything_else(visit, dana, environment):
    created_at = timezone.now() - timedelta(days=28)
    end = timezone.now() + timedelta(days=2, minutes=1)
    Environment.objects.update(created_at=created_at, ends_at=end)
    near = dates.upcoming(end, timezone.now())
    notice = read(visit(dana)).select("#live > .notice")[0]
    assert words(notice.div) == f"Expires in 2 days ( {near} ). It and everything in it will be deleted."
    assert notice.button["form"] == "extend"


def test_a_short_life_does_not_begin_with_its_end(visit, dana):
    Environment.objects.update(ends_at=timezone.now() + timedelta(days=2, minutes=1))
    assert "It ends" not in words(read(visit(dana)).select("#live > .notice")[0])


def test_a_newer_version_is_offered_to_those_who_may_move(visit, dana, theo, newer):
    soup = read(visit(dana))
    assert one(soup, "#newer")["href"].endswith("/move/")
    notice = one(soup, "#live > .notice:has(#newer)")
    assert words(notice.div) == ("Version 2 of Namespace is available. Size Medium, pods: 30, was 50 (less).")
    assert facts(soup)["Template"] == "Namespace · Medium Version 1"
    assert read(visit(theo)).select("#newer") == []
    assert [visit(theo, "move/").status_code] == [403]


def test_moving_says_first_what_changes_and_what_gets_tight(visit, dana, newer):
    soup = read(visit(dana, "move/"))
    assert words(soup.h1) == "Update to version 2"
    assert words(one(soup, ".notice.warn li")) == "Pods: 40 used, 30 allowed."
    assert [words(heading) for heading in soup.select("main h2")] == ["What changes", "What is kept"]


def test_moving_leads_back_to_the_environment(visit, dana, environment, newer):
    version = one(read(visit(dana, "move/")), "input[name=version]")["value"]
    assert visit(dana, "move/", "post", version=version).status_code == 302
    environment.refresh_from_db()
    assert environment.version == newer


def test_a_page_that_offered_version_2_does_not_move_to_version_3(visit, dana, environment, newer):
    shown = one(read(visit(dana, "move/")), "input[name=version]")["value"]
    TemplateVersion.objects.filter(pk=newer.pk).update(state="retired")
    TemplateVersion.objects.create(template=newer.template, number=3, state="published", spec=newer.spec)
    soup = read(visit(dana, "move/", "post", version=shown), status=422)
    assert "Version 2 is no longer the published one." in words(one(soup, ".notice.bad"))
    assert words(soup.h1) == "Update to version 3"
    environment.refresh_from_db()
    assert environment.version.number == 1
    assert visit(dana, "move/", "post").status_code == 422


def test_without_a_newer_version_there_is_nothing_to_move_to(visit, dana):
    assert visit(dana, "move/").status_code == 302
    assert words(one(read(visit(dana)), "main > .notice.info")) == "Checkout refunds already uses the newest version."
