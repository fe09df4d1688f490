"""Messages to the workers, each a task's name and ids.

By name, so that what enqueues need not import what works. The database says what is owed: a message only hurries it up.
"""

import logging
import uuid
from collections.abc import Callable
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

RECONCILE = "environments.reconcile"  # the task that reconciles one environment
CHECK_TEMPLATE = "environments.check_template"  # the task that goes on with a draft's check on one cluster
TEST_ISOLATION = "environments.test_isolation"  # the task that goes on with the test of a cluster's network
TRY_DIRECTORY = "environments.try_directory"  # the task that goes on with a directory's test

TOGETHER = 16  # environments that one message has reconciled, if so many are owed

TELL_STAND_INS = "environments.tell_stand_ins"  # the task that emails people who were named as stand-ins


def send(task: str, *arguments: object, delay: float = 0.0) -> bool:
    """Hand a message to the workers, to be read in `delay` seconds; whether the broker took it."""
    try:
        current_app.send_task(task, arguments, countdown=delay, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        logger.warning("the broker took no message for %s (%s)", task, type(error).__name__)
        return False
    return True


def enqueue(environment_id: uuid.UUID | str, *, delay: float = 0.0) -> None:
    """Hurry a reconcile up. A broker that is down costs only time: the sweep finds what is owed."""
    send(RECONCILE, str(environment_id), delay=delay)


def enqueue_after_commit(environment_id: uuid.UUID, *, unless: Callable[[], bool] = lambda: False) -> None:
    """`enqueue` once the transaction is in, never before; not where `unless` says then that others' messages do."""
    transaction.on_commit(lambda: None if unless() else enqueue(environment_id))


def send_after_commit(task: str, *arguments: object) -> None:
    """`send` once the transaction is in, never before."""
    transaction.on_commit(lambda: send(task, *arguments))


def waiting(broker: str = "") -> int:
    """How many messages wait in the queue; 0 if the broker does not say, and within one process, which loses none."""
    broker = broker or settings.CELERY_BROKER_URL
    if broker.startswith("memory:"):
        return 0
    with current_app.connection_for_read(broker) as connection:
        errors: Any = (*connection.connection_errors, *connection.channel_errors, OperationalError, OSError)
        channel: Any = connection.channel
        try:
            return int(channel().queue_declare(current_app.conf.task_default_queue, passive=True).message_count)
        except errors:  # also if the queue is empty: Redis knows none then
            return 0
