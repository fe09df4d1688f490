"""The cast of makers.py: the same people, cluster, directory and template for all, made where they are asked for."""

import sys
from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from environments.models import Cluster, Directory, Team, TemplateVersion, User
from tests import makers, schema
from tests.makers import MakeEnvironment, MakeTemplate, person

pytest_plugins = [
    "tests.fixtures.everybody",
    "tests.fixtures.kubectl",
    "tests.fixtures.queue",
    "tests.fixtures.sign_in",
    "tests.fixtures.workshop",
    "tests.parallel",
]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave Hypothesis out of a summary that it has no part in: its plugin imports all of it there, for 0.7 s."""
    plugins = session.config.pluginmanager
    in_one_process = not session.config.getoption("numprocesses", None)
    if in_one_process and "hypothesis" not in sys.modules and plugins.has_plugin("hypothesispytest"):
        plugins.unregister(name="hypothesispytest")


@pytest.fixture(scope="session")
def django_db_setup(
    tables: None, django_db_setup: None, django_db_blocker: DjangoDbBlocker, pytestconfig: pytest.Config
) -> None:
    """pytest-django's, from a copy of the tables; the first run makes the copy."""
    with django_db_blocker.unblock():
        schema.keep(schema.copy_of(pytestconfig))


@pytest.fixture(scope="session")
def tables(pytestconfig: pytest.Config) -> Iterator[None]:
    """The tables, ready before the test database is."""
    with schema.filled_from(schema.copy_of(pytestconfig)):
        yield


@pytest.fixture
def dana(team: Team) -> User:
    return makers.make_dana(team)


@pytest.fixture
def theo(team: Team) -> User:
    return makers.make_theo(team)


@pytest.fixture
def max_manager(team: Team) -> User:
    user = person("max", "Max", is_manager=True)
    team.managers.add(user)
    return user


@pytest.fixture
def ada(db: None) -> User:
    return makers.make_ada()


@pytest.fixture
def sam(db: None) -> User:
    user = person("sam", "Sam")
    Team.objects.create(name="Search", group="team-search").members.add(user)
    return user


@pytest.fixture
def team(db: None) -> Team:
    return makers.make_team()


@pytest.fixture
def cluster(db: None) -> Cluster:
    return makers.make_cluster()


@pytest.fixture
def directory(db: None) -> Directory:
    return makers.make_directory()


@pytest.fixture
def make_template(db: None) -> MakeTemplate:
    return makers.make_template


@pytest.fixture
def template_version(make_template: MakeTemplate) -> TemplateVersion:
    return make_template()


@pytest.fixture
def make_environment(
    dana: User, team: Team, cluster: Cluster, directory: Directory, template_version: TemplateVersion
) -> MakeEnvironment:
    return makers.environment_maker(dana, team, cluster, directory, template_version)
