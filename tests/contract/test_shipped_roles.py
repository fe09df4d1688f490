"""Whether a cluster has the environment roles as they ship: read by the portal's own account."""

import pytest

from environments.kube import rbac
from environments.kube.shipped_roles import is_as_shipped
from environments.lib.errors import PermanentError
from environments.lib.phases import CLUSTER_ROLES, Role

ROLES = {each["metadata"]["name"]: each for each in rbac.documents() if each["kind"] == "ClusterRole"}
NAME = CLUSTER_ROLES[Role.VIEWER]


@pytest.fixture
def endpoint(cluster_endpoint, request):
    """A cluster of the module's own: others rely on the roles."""
    return request.getfixturevalue(f"own_{cluster_endpoint.name}")


@pytest.fixture
def portal(endpoint):
    return endpoint.client()


@pytest.fixture
def edit(endpoint):
    """Apply another role in the place of the viewers'; what shipped is back afterwards."""
    admin = endpoint.admin_client(field_manager="allotment-rbac")
    yield lambda **changes: admin.apply(ROLES[NAME] | changes)
    admin.apply(ROLES[NAME])


@pytest.mark.parametrize("name", CLUSTER_ROLES.values())
def test_what_ships_is_recognised(portal, name):
    assert is_as_shipped(portal, name)


@pytest.mark.parametrize(
    "rules",
    [
        ROLES[NAME]["rules"][1:],
        [*ROLES[NAME]["rules"], {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
        [*ROLES[NAME]["rules"], {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}],
        [ROLES[NAME]["rules"][0] | {"resourceNames": ["one"]}, *ROLES[NAME]["rules"][1:]],
        [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    ],
    ids=["less", "more", "urls", "one name", "everything"],
)
def test_what_somebody_edited_is_not(portal, edit, rules):
    edit(rules=rules)
    assert not is_as_shipped(portal, NAME)


def test_the_same_rights_in_other_words_are_the_same(portal, edit):
    first, *rest = ROLES[NAME]["rules"]
    split = [first | {"resources": [resource]} for resource in reversed(first["resources"])]
    edit(rules=[*rest, *split])
    assert is_as_shipped(portal, NAME)


def test_a_role_that_takes_rules_from_others_is_not(portal, edit):
    edit(aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"nobody": "has-this"}}]})
    assert not is_as_shipped(portal, NAME)


def test_an_answer_is_kept_as_long_as_it_may(portal, edit):
    assert is_as_shipped(portal, NAME)
    edit(rules=[])
    assert is_as_shipped(portal, NAME, seconds=60)
    assert not is_as_shipped(portal, NAME)
    assert not is_as_shipped(portal, NAME, seconds=60), "the newest answer counts"


def test_the_portal_may_read_no_other_role(portal):
    with pytest.raises(PermanentError, match="cannot get resource"):
        portal.get("ClusterRole", "cluster-admin")
