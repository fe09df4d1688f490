"""What platform admins do with a cluster beside changing its row: give it up, or take it back."""

from django.utils import timezone

from environments.models import Cluster, Environment


def give_up(row: Cluster) -> int:
    """Say that a cluster is gone for good; how many environments end with it.

    Nothing there is asked for any more. Its environments are removed by the next run of `end_stranded`: their
    directory groups are deleted, their history stays.
    """
    Cluster.objects.filter(pk=row.pk, lost_at=None).update(
        lost_at=timezone.now(), accepts_new=False, updated_at=timezone.now()
    )
    return Environment.objects.filter(cluster=row).live().count()


def take_back(row: Cluster) -> None:
    """Say that a cluster is there after all. What was removed meanwhile stays removed; new ones need `accepts_new`."""
    Cluster.objects.filter(pk=row.pk).update(lost_at=None, updated_at=timezone.now())
