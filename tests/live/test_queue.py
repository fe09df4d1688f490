"""The queue's length, as a real broker tells it."""

import pytest

from environments import tasks
from environments.lib import queue
from tests.services import REDIS, Redis

pytestmark = pytest.mark.skipif(not REDIS, reason="redis-server is not installed (Debian's package of that name)")


def test_the_messages_that_wait_are_counted(tmp_path):
    redis = Redis(tmp_path)
    redis.start()
    try:
        assert queue.waiting(redis.url) == 0
        with tasks.reconcile.app.connection_for_write(redis.url) as connection:
            for number in range(3):
                tasks.reconcile.apply_async((str(number),), connection=connection)
        assert queue.waiting(redis.url) == 3
    finally:
        redis.process.stop()
    assert queue.waiting(redis.url) == 0
