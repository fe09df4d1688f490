"""When each kind of object was last read in full: kept through failures, and told once it is too long ago."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from environments.lib import looks
from environments.lib.looks import KindLook
from environments.models import Cluster

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
INTERVAL, MINUTE = timedelta(minutes=2), timedelta(minutes=1)


def test_a_failure_keeps_the_last_complete_look_and_when_it_began():
    stored = looks.after({}, {"Namespace": NOW, "Deployment": NOW}, {}, NOW)
    for minutes in (2, 4):
        stored = looks.after(stored, {"Namespace": NOW}, {"Deployment": "Too big."}, NOW + minutes * MINUTE)
    found = looks.read(stored)
    assert found["Namespace"] == KindLook("Namespace", NOW)
    assert found["Deployment"] == KindLook("Deployment", NOW, NOW + 2 * MINUTE, "Too big.")
    stored = looks.after(stored, {"Deployment": NOW + 6 * MINUTE}, {}, NOW + 7 * MINUTE)
    assert looks.read(stored) == {"Deployment": KindLook("Deployment", NOW + 6 * MINUTE)}, "others are not needed now"


def test_a_kind_that_was_never_read_is_known_of_since_the_first_try():
    stored = looks.after({}, {}, {"Service": "Forbidden."}, NOW)
    stored = looks.after(stored, {}, {"Service": "Forbidden."}, NOW + 5 * MINUTE)
    look = looks.read(stored)["Service"]
    assert (look.at, look.known_at) == (None, NOW)
    assert not look.is_overdue(NOW + 6 * MINUTE, INTERVAL)
    assert look.is_overdue(NOW + 7 * MINUTE, INTERVAL)


@pytest.mark.parametrize(
    ("error", "ago", "interval", "is_overdue"),
    [
        ("", 29 * MINUTE, INTERVAL, False),
        ("", 31 * MINUTE, INTERVAL, True),
        ("", 59 * MINUTE, 20 * MINUTE, False),
        ("Too big.", 6 * MINUTE, INTERVAL, False),
        ("Too big.", 7 * MINUTE, INTERVAL, True),
    ],
)
def test_a_look_is_overdue_after_a_few_intervals(error, ago, interval, is_overdue):
    assert KindLook("Service", NOW - ago, None, error).is_overdue(NOW, interval) is is_overdue


@pytest.mark.parametrize(
    "stored", [None, [], "x", {"Pod": 3}, {"Pod": {"at": 7, "since": "soon"}}, {"Pod": {"at": "2026-11-29T12:00:00"}}]
)
def test_what_cannot_be_read_says_nothing(stored):
    assert all(look == KindLook(kind, None) for kind, look in looks.read(stored).items())


def test_ages_are_sentences():
    hours = timedelta(hours=3)
    found = [KindLook("NetworkPolicy", NOW - hours), KindLook("Ingress", NOW - hours), KindLook("Service", None, NOW)]
    assert looks.sentence(found, NOW) == (
        "Ingresses and NetworkPolicies here were last read in full 3 hours ago. "
        "Services here have never been read in full."
    )


def unread(cluster: Cluster, kind: str, ago: timedelta, error: str = "Too big.") -> None:
    now = timezone.now()
    stored = looks.after({}, {kind: now - ago}, {}, now)
    Cluster.objects.filter(pk=cluster.pk).update(kind_looks=looks.after(stored, {}, {kind: error}, now))


def test_only_the_kinds_of_an_environment_make_it_unread(make_environment, cluster):
    environment = make_environment()
    unread(cluster, "Deployment", timedelta(hours=3))
    environment.refresh_from_db()
    environment.ready_at = timezone.now() - timedelta(hours=1)
    assert environment.unread == []
    environment.applied_objects = ["Deployment/web"]
    assert [look.kind for look in environment.unread] == ["Deployment"]
    environment.ready_at = timezone.now()
    assert environment.unread == [], "that it was made is proof enough"
    unread(cluster, "RoleBinding", timedelta(hours=3))
    environment.ready_at = timezone.now() - timedelta(hours=1)
    environment.cluster.refresh_from_db()
    assert [look.kind for look in environment.unread] == ["RoleBinding"]


def test_platform_admins_hear_of_it_after_an_hour(cluster):
    unread(cluster, "Deployment", timedelta(minutes=50))
    assert Cluster.objects.unread() == []
    unread(cluster, "Deployment", timedelta(minutes=70))
    ((row, (look,)),) = Cluster.objects.unread()
    assert (row, look.kind, look.error) == (cluster, "Deployment", "Too big.")
    Cluster.objects.update(lost_at=timezone.now())
    assert Cluster.objects.unread() == []
