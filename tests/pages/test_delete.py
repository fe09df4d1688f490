"""Deleting asks for the name, and says what goes and what stays."""

import pytest

from environments.lib.phases import Phase
from environments.models import Environment
from tests.pages.reading import one, read, words


@pytest.fixture
def environment(make_environment):
    return make_environment()


@pytest.fixture
def ask(client, environment):
    """Open or send the form as somebody."""

    def send(user, typed_name=None):
        client.force_login(user)
        url = f"/environments/{environment.namespace}/delete/"
        return client.get(url) if typed_name is None else client.post(url, {"typed_name": typed_name})

    return send


def test_the_page_says_what_goes_and_what_stays(ask, dana, environment):
    soup = read(ask(dana))
    assert [words(heading) for heading in soup.select("main h2")] == ["What will be deleted", "What is kept"]
    assert environment.namespace in words(one(soup, "main"))
    assert words(one(soup, "main form label")) == "Type Checkout refunds to confirm"


def test_the_right_name_has_it_removed(ask, dana, environment):
    response = ask(dana, "Checkout refunds")
    assert response["Location"] == f"/environments/{environment.namespace}/"
    assert Environment.objects.get().phase == Phase.DELETING


@pytest.mark.parametrize("typed", ["", "checkout", "CHECKOUT REFUNDS"])
def test_another_name_changes_nothing_and_is_said_at_the_field(ask, dana, typed):
    soup = read(ask(dana, typed), status=422)
    control = one(soup, "#id_typed_name")
    assert control["aria-invalid"] == "true"
    assert words(one(soup, f"#{control['aria-describedby'].split()[-1]}"))
    assert one(soup, "#errors a")["href"] == "#id_typed_name"
    assert Environment.objects.get().phase == Phase.READY


@pytest.mark.parametrize("typed", [None, "Checkout refunds"])
def test_a_reader_is_refused_and_a_stranger_finds_nothing(ask, theo, max_manager, sam, typed):
    assert [ask(user, typed).status_code for user in (theo, max_manager, sam)] == [403, 403, 404]
    assert Environment.objects.get().phase == Phase.READY


def test_a_platform_admin_may(ask, ada):
    assert ask(ada, "Checkout refunds").status_code == 302


def test_what_is_being_deleted_cannot_be_deleted_again(ask, dana, environment):
    ask(dana, "Checkout refunds")
    soup = read(ask(dana))
    assert soup.select("#id_typed_name") == []
    said = [words(each) for each in soup.select("main .notice")]
    assert said[0] == "The deletion of Checkout refunds was requested."
    assert "already being deleted" in said[1]
