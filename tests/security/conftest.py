"""The world of the workshop's tests, and a cast with every role."""

from tests.environments.conftest import (  # noqa: F401 (fixtures)
    admin,
    ask,
    local_directory,
    namespace_template,
    people,
    place,
    simulated,
    world,
)
