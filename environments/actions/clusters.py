"""What platform admins do with a cluster beside changing its row: give it up, take it back, leave it unguarded."""

from django.utils import timezone

from environments.models import Cluster, Environment


def give_up(row: Cluster) -> int:
    """Say that a cluster is gone for good; how many environments end with it.

    The portal no longer connects to it. Its environments are removed by the next run of `end_stranded`: their
    directory groups are deleted, their history stays.
    """
    Cluster.objects.filter(pk=row.pk, lost_at=None).update(
        lost_at=timezone.now(), accepts_new=False, updated_at=timezone.now()
    )
    return Environment.objects.filter(cluster=row).live().count()


def take_back(row: Cluster) -> None:
    """Say that a cluster is there after all. What was removed until then stays removed; new ones need `accepts_new`."""
    Cluster.objects.filter(pk=row.pk).update(lost_at=None, updated_at=timezone.now())


def do_without_policies(row: Cluster) -> None:
    """Say that a cluster is meant to be without the admission policies: no alert until they are seen again."""
    Cluster.objects.filter(pk=row.pk).update(admission_installed_at=None)


def owe_all(row: Cluster) -> int:
    """Have the portal bring all environments of a cluster up to its row soon; how many there are."""
    return Environment.objects.filter(cluster=row).live().owe()
