"""The list of environments: who sees what, filters that live in the address, and what is said when it is empty."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.lib.phases import Phase, Role
from environments.models import Cluster, TemplateVersion
from tests.pages.reading import HTMX, labelled, one, read, words

URL = "/environments/"
USAGE = {"requests.memory": ["1863Mi", "2Gi"], "pods": ["3", "50"]}


@pytest.fixture
def listed(client):
    """Ask for the list as somebody."""

    def get(user, query="", **more):
        client.force_login(user)
        return client.get(f"{URL}?{query}", **more)

    return get


def names(soup):
    """The names in the list."""
    return [words(link) for link in soup.select("tbody th a")]


def test_a_line_says_where_an_environment_stands(listed, dana, make_environment):
    environment = make_environment(usage=USAGE)
    row = one(read(listed(dana)), "tbody tr")
    assert row.a["href"] == f"/environments/{environment.namespace}/"
    cells = [words(cell) for cell in row.find_all("td")]
    assert cells == [
        "Ready",
        "Namespace Medium",
        "Amsterdam",
        "Dana Example Checkout",
        "90 % Memory requests",
        "in 23 days",
    ]


def test_the_fullest_quota_is_a_bar_and_a_number(listed, dana, make_environment):
    make_environment(usage=USAGE)
    gauge = one(read(listed(dana)), ".gauge")
    assert gauge.rect["width"] == "90"
    assert "warn" in gauge.svg["class"]


def test_the_owner_their_team_their_manager_a_member_and_admins_see_it_a_stranger_does_not(
    listed, dana, theo, max_manager, ada, sam, make_environment
):
    make_environment()
    assert [len(names(read(listed(user)))) for user in (dana, theo, max_manager, ada, sam)] == [1, 1, 1, 1, 0]


def test_a_member_from_another_team_sees_it(listed, sam, make_environment):
    make_environment(members={sam.email: Role.VIEWER})
    assert names(read(listed(sam))) == ["Checkout refunds"]


def test_somebody_without_environments_is_led_to_the_catalog(listed, sam):
    empty = one(read(listed(sam)), ".empty")
    assert words(empty.h2) == "No environments yet"
    assert one(empty, "a.button")["href"] == "/catalog/"


def test_filters_without_a_match_say_so_and_can_be_cleared(listed, dana, make_environment):
    make_environment()
    empty = one(read(listed(dana, "q=nothing")), ".empty")
    assert words(empty.h2) == "No environments match"
    assert one(empty, "a")["href"] == URL


def test_deleted_ones_show_only_when_asked_for(listed, dana, make_environment):
    make_environment(phase=Phase.DELETED, name="Gone")
    make_environment(name="Here")
    assert names(read(listed(dana))) == ["Here"]
    assert names(read(listed(dana, "phase=Deleted"))) == ["Gone"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=refunds", ["Refunds"]),
        ("q=theo@", ["Theos"]),
        ("phase=Failed", ["Broken"]),
        ("mine=on", ["Broken", "Refunds"]),
        ("template=namespace", ["Broken", "Refunds", "Theos"]),
        ("cluster=amsterdam", ["Broken", "Refunds", "Theos"]),
        ("phase=Nonsense", ["Broken", "Refunds", "Theos"]),
    ],
)
def test_filters(listed, dana, theo, make_environment, query, expected):
    make_environment(name="Refunds")
    make_environment(theo, name="Theos")
    make_environment(phase=Phase.FAILED, name="Broken")
    assert sorted(names(read(listed(dana, query)))) == expected


def test_filters_stay_in_the_form_and_in_the_links_to_other_pages(listed, dana, make_environment):
    for number in range(26):
        make_environment(name=f"Load {number}")
    soup = read(listed(dana, "q=load&phase=Ready&template="))
    assert labelled(soup, "Search")["value"] == "load"
    assert one(soup, "#id_phase option[selected]")["value"] == "Ready"
    assert one(soup, "a[rel=next]")["href"] == "?q=load&phase=Ready&page=2"


def test_pages_lead_on_and_back(listed, dana, make_environment):
    for number in range(26):
        make_environment(name=f"Load {number}")
    first, second = read(listed(dana)), read(listed(dana, "page=2"))
    assert len(names(first)) == 25
    assert first.select("a[rel=prev]") == []
    assert len(names(second)) == 1
    assert words(one(second, "nav.pages p")) == "26 to 26 of 26 environments"


def test_a_page_that_is_not_there_is_the_last_one(listed, dana, make_environment):
    make_environment()
    assert len(names(read(listed(dana, "page=99")))) == 1


def test_the_live_search_gets_the_rows_and_a_tidy_address(listed, dana, make_environment):
    make_environment()
    response = listed(dana, "q=checkout&phase=&page=1", headers=HTMX)
    assert read(response).find("html") is None
    assert response["HX-Replace-Url"] == "?q=checkout"
    assert listed(dana, "q=", headers=HTMX)["HX-Replace-Url"] == URL


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["newest", "full", "early"]),
        ("sort=fullest", ["full", "early", "newest"]),
        ("sort=ends", ["early", "full", "newest"]),
        ("sort=name", ["early", "full", "newest"]),
        ("sort=nonsense", ["newest", "full", "early"]),
    ],
)
def test_what_comes_first_can_be_chosen(listed, dana, make_environment, query, expected):
    now = timezone.now()
    days = timedelta(days=1)
    make_environment(name="early", created_at=now - 3 * days, ends_at=now + days, usage={"pods": ["5", "10"]})
    make_environment(name="full", created_at=now - 2 * days, ends_at=now + 9 * days, usage={"pods": ["10", "10"]})
    make_environment(name="newest", created_at=now - days, ends_at=None)
    soup = read(listed(dana, query))
    assert names(soup) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", "abc"),
        ("-name", "cba"),
        ("state", "bca"),
        ("-state", "acb"),
        ("template", "cab"),
        ("-template", "bac"),
        ("cluster", "bac"),
        ("-cluster", "cab"),
        ("owner", "cba"),
        ("-owner", "acb"),
        ("fullest", "cab"),
        ("-fullest", "bac"),
        ("ends", "acb"),
        ("-ends", "cab"),  # no end is last both ways
    ],
)
def test_every_column_sorts_both_ways(listed, ada, dana, theo, make_environment, make_template, sort, expected):
    """Newest first where two are equal, so c comes before b and a."""
    now, day = timezone.now(), timedelta(days=1)
    zoo, apple = make_template("zoo"), make_template("apple")
    york = Cluster.objects.create(slug="york", name="York", server="https://york.example.com")
    bergen = Cluster.objects.create(slug="bergen", name="Bergen", server="https://bergen.example.com")
    aachen = Cluster.objects.create(slug="aachen", name="Aachen", server="https://aachen.example.com")
    common = {"created_at": now - 3 * day, "version": make_template("middle"), "cluster": bergen}
    make_environment(theo, name="a", ends_at=now + day, usage={"pods": ["5", "10"]}, **common)
    common |= {"created_at": now - 2 * day, "version": zoo, "cluster": aachen}
    make_environment(phase=Phase.FAILED, name="b", ends_at=None, **common)
    common |= {"created_at": now - day, "version": apple, "cluster": york}
    make_environment(phase=Phase.DEGRADED, name="c", ends_at=now + 2 * day, usage={"pods": ["9", "10"]}, **common)
    dana.first_name = "Dan"
    dana.save()
    assert "".join(names(read(listed(ada, f"sort={sort}")))) == expected


def test_a_heading_says_how_the_list_is_sorted_and_turns_it(listed, dana, make_environment):
    make_environment()
    heads = {words(head): head for head in read(listed(dana, "q=checkout&sort=fullest&page=1")).select("thead th")}
    assert heads["Highest usage"]["aria-sort"] == "descending"
    assert heads["Highest usage"].a["href"] == "?q=checkout&sort=-fullest"
    assert heads["Environment"].a["href"] == "?q=checkout&sort=name"
    assert [head for head in heads.values() if "aria-sort" in head.attrs] == [heads["Highest usage"]]
    heads = read(listed(dana, "sort=-name")).select("thead th[aria-sort]")
    assert [(words(head), head["aria-sort"]) for head in heads] == [("Environment", "descending")]


def test_an_order_is_no_filter(listed, dana, make_environment):
    make_environment()
    assert words(one(read(listed(dana, "sort=name")), "#rows [role=status]")) == "1 environment"
    assert words(one(read(listed(dana, "sort=name&mine=on")), "#rows [role=status]")).startswith(
        "1 environment matches"
    )


def test_every_order_is_in_the_form_too(listed, dana, make_environment):
    make_environment()
    soup = read(listed(dana, "sort=-cluster"))
    assert words(one(soup, "#id_sort option[selected]")) == "Cluster, Z to A"


def test_what_can_be_updated_is_a_filter_and_said_at_the_line(listed, dana, make_environment, template_version):
    make_environment(name="Old")
    assert names(read(listed(dana, "outdated=on"))) == []
    TemplateVersion.objects.filter(pk=template_version.pk).update(state="retired")
    assert names(read(listed(dana, "outdated=on"))) == []  # retired without another one
    newer = TemplateVersion.objects.create(
        template=template_version.template, number=2, state="published", spec=template_version.spec
    )
    make_environment(name="New", version=newer)
    make_environment(phase=Phase.AWAITING_APPROVAL, name="Asked")
    assert names(read(listed(dana, "outdated=on"))) == ["Old"]
    lines = {words(row.th.a): words(row) for row in read(listed(dana)).select("tbody tr")}
    assert [name for name, line in lines.items() if "update available" in line] == ["Old"]


def test_only_mine_are_those_i_am_a_member_of_too(listed, dana, theo, make_environment):
    make_environment(name="Own")
    make_environment(theo, name="Shared", members={dana.email: Role.VIEWER})
    make_environment(theo, name="Theirs")
    assert sorted(names(read(listed(dana, "mine=on")))) == ["Own", "Shared"]


def test_the_order_stays_from_page_to_page(listed, dana, make_environment):
    for number in range(26):
        make_environment(name=f"Load {number:02}", created_at=timezone.now().replace(microsecond=0))
    first, second = read(listed(dana, "sort=name")), read(listed(dana, "sort=name&page=2"))
    assert one(first, "a[rel=next]")["href"] == "?sort=name&page=2"
    assert len({*names(first), *names(second)}) == 26


def test_a_quota_that_allows_nothing_is_not_the_fullest(listed, dana, make_environment):
    make_environment(usage={"pods": ["0", "0"], "configmaps": ["0", "10"]})
    assert words(one(read(listed(dana)), ".gauge")) == "0 % ConfigMaps"


def test_the_number_of_queries_does_not_grow_with_rows(client, dana, make_environment, django_assert_max_num_queries):
    for number in range(25):
        make_environment(name=f"Load {number}", usage=USAGE)
    client.force_login(dana)
    with django_assert_max_num_queries(8):
        assert len(names(read(client.get(URL)))) == 25
