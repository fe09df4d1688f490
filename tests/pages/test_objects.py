"""The objects that the portal keeps, as YAML that can be read and compared."""

import pytest
import yaml

from environments.lib.phases import Phase
from tests.pages.reading import one, read, words


@pytest.fixture
def page(client):
    def get(environment, user):
        client.force_login(user)
        return client.get(f"/environments/{environment.namespace}/objects/")

    return get


def test_the_yaml_is_what_the_portal_keeps(page, dana, make_environment):
    documents = list(yaml.safe_load_all(one(read(page(make_environment(), dana)), "#yaml").get_text()))
    kinds = [document["kind"] for document in documents]
    assert kinds[:3] == ["Namespace", "ResourceQuota", "LimitRange"]
    assert "NetworkPolicy" in kinds


def test_of_a_deleted_one_it_is_said_that_they_are_gone(page, dana, make_environment):
    soup = read(page(make_environment(phase=Phase.DELETED), dana))
    assert "This environment was deleted." in words(one(soup, "main .notice"))


def test_readers_may_read_them_strangers_may_not(page, theo, max_manager, ada, sam, make_environment):
    environment = make_environment()
    statuses = [page(environment, user).status_code for user in (theo, max_manager, ada, sam)]
    assert statuses == [200, 200, 200, 404]
