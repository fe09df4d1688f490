"""What the processes of a worker share."""

import gc

from portal.celery import share_memory


def test_what_is_loaded_before_the_fork_is_no_longer_the_collectors():
    before = gc.get_freeze_count()
    try:
        share_memory()
        assert gc.get_freeze_count() > before + 10_000
    finally:
        gc.unfreeze()
