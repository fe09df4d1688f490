"""A template whose large size needs approval, and requests for it."""

import uuid

import pytest

from environments import actions
from tests.makers import spec_needing_approval


@pytest.fixture
def version_with_approval(make_template):
    return make_template(spec=spec_needing_approval())


@pytest.fixture
def request_large(version_with_approval, cluster, directory, dana, team, django_capture_on_commit_callbacks):
    def request(user=None, *, size="large", name="Ranking", **more):
        user, more = user or dana, {"team": team, "key": uuid.uuid4()} | more
        user.teams.set([more["team"]] if more["team"] else [])
        asked = actions.Draft(
            version=version_with_approval,
            name=name,
            cluster=cluster,
            size=size,
            parameters={"cost_centre": "1040"},
            **more,
        )
        with django_capture_on_commit_callbacks(execute=True):
            return actions.request_environment(user, asked)

    return request
