"""Celery's side of the work: ids in, nothing out. The database is the queue's truth, messages only hurry it up.

Whatever is lost with a broker, a worker or a message is found again by the sweep; whatever arrives twice
finds nothing owed, or another worker's lease.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from itertools import batched

from celery import shared_task
from django.utils import timezone

from environments.actions import directories as directory_actions
from environments.actions import isolation, openings, publishing
from environments.lib import queue
from environments.models import Environment, Event
from environments.reconcile import lease as leases
from environments.reconcile.engine import reconcile_some as reconcile_now
from environments.reports import reviewing, summaries
from environments.routine import departures, digests, lifetimes, names, notices, observe, policy_looks, usage

logger = logging.getLogger(__name__)

_SOON = 60.0  # seconds: what is due later is left to the sweep
_BATCH = 500  # environments a sweep enqueues at the most; the next one takes the rest
_BUSY = 50  # messages that wait: from here on most of what is owed has one of its own
_TRUST = timedelta(minutes=5)  # how long a message that waits with so many is taken to be there still
_LETTERS = 10  # e-mails a task sends: with a mail server that takes its time, no more than one has time for


@shared_task(name="environments.reconcile")
def reconcile(environment_id: str) -> None:
    """Reconcile one environment with others that are owed, and come back soon where that was asked for."""
    for key, delay in reconcile_now(environment_id, most=queue.TOGETHER, following=queue.enqueue).items():
        if delay is not None and delay < _SOON:
            queue.enqueue(key, delay=delay)


@shared_task(name="environments.sweep")
def sweep() -> None:
    """Enqueue everything that is owed: reconciles, emails, and tests and checks that lost their worker.

    What is held by a worker that seems to be dead is enqueued for the moment at which its lease runs out.

    While many messages wait, what is new is left to its own: at every sweep one more for each would drown them.
    """
    owed, letters = Environment.objects.owed(), Event.objects.filter(notice_owed=True)
    if queue.waiting() >= _BUSY:
        lately = timezone.now() - _TRUST
        owed = owed.exclude(observed_generation=0, created_at__gt=lately)
        letters = letters.exclude(at__gt=lately)
    keys = owed.order_by("created_at").values_list("pk", flat=True)[:_BATCH]
    for environment_id in keys[:: queue.TOGETHER] if len(keys) > _BUSY else keys:
        queue.enqueue(environment_id)
    for environment_id, delay in leases.forsaken(_BATCH):
        queue.enqueue(environment_id, delay=delay)
    for event_ids in batched(letters.values_list("pk", flat=True)[:_BATCH], _LETTERS):
        queue.send(deliver_notices.name, event_ids)
    for arguments in directory_actions.resume_stopped():
        queue.send(try_directory.name, *arguments)
    for message in publishing.resume_stopped():
        queue.send(check_template.name, *message)
    for message in isolation.resume_stopped():
        queue.send(test_isolation.name, *message)


@shared_task(name=queue.CHECK_TEMPLATE, soft_time_limit=120, time_limit=140)
def check_template(verdict_id: int, run: str, turn: int) -> None:
    """Go on with a draft's check on one cluster, and come back if it has to wait."""
    if follows := publishing.go_on(verdict_id, run, turn):
        turn, delay = follows
        queue.send(check_template.name, verdict_id, run, turn, delay=delay)


@shared_task(name=queue.TEST_ISOLATION, soft_time_limit=120, time_limit=140)
def test_isolation(test_id: int, run: str, turn: int) -> None:
    """Go on with the test of a cluster's network, and come back if it has to wait."""
    if follows := isolation.go_on(test_id, run, turn):
        turn, delay = follows
        queue.send(test_isolation.name, test_id, run, turn, delay=delay)


@shared_task(name=queue.TRY_DIRECTORY)
def try_directory(directory_id: int, run: str, turn: int) -> None:
    """Go on with a directory's test, and come back if one of its steps has to wait."""
    if follows := directory_actions.go_on(directory_id, run, turn):
        turn, delay = follows
        queue.send(try_directory.name, directory_id, run, turn, delay=delay)


@shared_task(name="environments.end_environments")
def end_environments() -> None:
    """Tell owners what ends soon, and remove what is over."""
    now = timezone.now()
    soon = Environment.objects.filter(wanted=True, ends_at__lte=now + timedelta(days=max(lifetimes.NOTICE_DAYS)))
    candidates = list(soon.select_related("owner", "version__template", "cluster"))
    lifetimes.send_notices(candidates, now)
    for environment in candidates:
        if lifetimes.may_end(environment, now):
            lifetimes.end(environment)
            queue.enqueue(environment.pk)
    openings.end_due(now)


@shared_task(name="environments.ask_still_needed", soft_time_limit=500, time_limit=520)
def ask_still_needed() -> None:
    """Ask owners whether environments are still needed, and follow up on those that no one answered."""
    now = timezone.now()
    reviewing.ask(now)
    reviewing.tell(now)
    reviewing.follow_up(now)


@shared_task(name="environments.end_stranded")
def end_stranded() -> None:
    """Remove environments whose cluster is gone for good, a batch at a time; the next run takes the rest."""
    for environment in lifetimes.stranded()[:_BATCH]:
        lifetimes.end_stranded(environment)
        queue.enqueue(environment.pk)


@shared_task(name="environments.find_departures")
def find_departures() -> None:
    """Find environments whose owners have left."""
    departures.find()


@shared_task(name="environments.refresh_names", soft_time_limit=500, time_limit=520)
def refresh_names() -> None:
    """Look up who members are, and what they are called now."""
    names.refresh()


@shared_task(name="environments.observe_clusters")
def observe_clusters() -> None:
    """Have every cluster read, each on its own: one that is down delays no other."""
    for cluster_id in observe.due():
        queue.send(observe_cluster.name, cluster_id)


@shared_task(name="environments.observe_cluster", soft_time_limit=270, time_limit=290)
def observe_cluster(cluster_id: int) -> None:
    """Read one cluster's figures, and enqueue what was found changed by hand."""
    for environment_id in observe.observe(cluster_id):
        queue.enqueue(environment_id)


@shared_task(name="environments.look_at_policies")
def look_at_policies() -> None:
    """Have the admission policies looked at that are due, each cluster on its own: one that is down delays no other."""
    for cluster_id in policy_looks.due(timezone.now()):
        queue.send(look_at_policies_of.name, cluster_id)


@shared_task(name="environments.look_at_policies_of")
def look_at_policies_of(cluster_id: int) -> None:
    """Look whether one cluster still has the admission policies."""
    policy_looks.look(cluster_id)


@shared_task(name="environments.roll_up_usage", soft_time_limit=500, time_limit=520)
def roll_up_usage() -> None:
    """Bring days and months of usage up to the hours. What time does not suffice for, the next run does."""
    usage.roll_up()


@shared_task(name="environments.prune_usage", soft_time_limit=500, time_limit=520)
def prune_usage() -> None:
    """Delete usage that is older than the settings keep."""
    usage.prune()


@shared_task(name="environments.send_summaries")
def send_summaries() -> None:
    """Have the monthly summary sent to everybody to whom it is owed, each on its own: one that fails stops no other."""
    for user_id in summaries.due(timezone.now()).values_list("pk", flat=True)[:_BATCH]:
        queue.send(send_summary.name, user_id)


@shared_task(name="environments.send_summary")
def send_summary(user_id: int) -> None:
    """Send one person the latest summary, if it is still owed."""
    now = timezone.now()
    for user in summaries.due(now).filter(pk=user_id):
        summaries.send(user, summaries.latest(now))


@shared_task(name="environments.remind_deciders", soft_time_limit=270, time_limit=290)
def remind_deciders() -> None:
    """Remind those who decide of the requests that wait for them, and have overdue ones escalated."""
    now = timezone.now()
    notices.remind_deciders(now)
    notices.escalate(now)  # afterwards: no platform admin gets two emails about one request at once
    tell_stand_ins()


@shared_task(name=queue.TELL_STAND_INS)
def tell_stand_ins() -> None:
    """Send the emails to people who were named as stand-ins."""
    notices.tell_stand_ins(timezone.now())


@shared_task(name="environments.deliver_notices")
def deliver_notices(event_ids: Sequence[int]) -> None:
    """Send the e-mails about some events."""
    notices.deliver(*event_ids)


@shared_task(name="environments.send_letters")
def send_letters() -> None:
    """Have the emails sent that waited for their moment, each person's on its own: one that fails stops no other."""
    for letter_id in digests.due(timezone.now())[:_BATCH]:
        queue.send(send_letter.name, letter_id)
    digests.prune(timezone.now())


@shared_task(name="environments.send_letter")
def send_letter(letter_id: int) -> None:
    """Send everything that is due to the address of one letter."""
    digests.send(letter_id, timezone.now())


@shared_task(name="environments.deliver_notice")
def deliver_notice(event_id: int) -> None:
    """The same for one: what a sweep of the version before has enqueued."""
    notices.deliver(event_id)
