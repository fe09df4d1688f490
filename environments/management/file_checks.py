"""Checks templates in files on their clusters, before `import_templates` publishes them.

It waits for the clusters, as the person or the pipeline does that called the command. A worker never would.
"""

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence

from environments.actions import placement, workbenches
from environments.catalog.files import Document, Mistake
from environments.lib.errors import ReconcileError, TemporaryError
from environments.models import Cluster
from environments.reconcile import workbench
from environments.reconcile.workbench import Sample, Workbench
from environments.spec import Problem, TemplateSpec

_PATIENCE = 15.0  # seconds for a cluster that does not answer
_PAUSE = 3.0
_TURN = 120.0  # seconds to wait for a workbench that another check uses


def mistakes(documents: Iterable[Document]) -> list[Mistake]:
    """What the clusters have against documents, each sentence at its line; also that a cluster did not answer."""
    return [
        document.mistake(("spec", *place) if place else (), f"{cluster}: {sentence}")
        for document in documents
        for cluster in clusters(document.content.template.clusters)
        for place, sentence in _of_one(document, cluster)
    ]


def clusters(slugs: Sequence[str]) -> list[Cluster]:
    """The clusters that a template with these in its card may use now; none in its card are all."""
    rows = placement.open_clusters()
    return list(rows.filter(slug__in=slugs) if slugs else rows)


def _of_one(document: Document, cluster: Cluster) -> list[Problem]:
    holder = uuid.uuid4()
    try:
        bench, spec = workbenches.of(cluster, document.content.template.slug), document.content.spec
        found: list[Problem] = []
        for sample in workbench.samples(spec):
            _wait_for_turn(cluster, holder)  # also holds on to it
            found += _patiently(bench, spec, sample)
        return list(dict.fromkeys(found))
    except ReconcileError as error:
        return [((), f"It could not be checked. {error.message} To import it anyway, use --without-check.")]
    finally:
        workbenches.leave(holder)


def _wait_for_turn(cluster: Cluster, holder: uuid.UUID) -> None:
    end = time.monotonic() + _TURN
    while not workbenches.take(cluster.pk, holder):
        if time.monotonic() > end:
            raise TemporaryError("Another check uses its workbench.", reason="InUse")
        time.sleep(_PAUSE)


def _patiently(bench: Workbench, spec: TemplateSpec, sample: Sample) -> Iterator[Problem]:
    """What is refused of one sample. Raises ReconcileError if the cluster does not answer."""
    tries, patience = 0, _PATIENCE
    while True:
        try:
            attempt = workbench.attempt(bench, spec, sample, tries)
        except TemporaryError as error:
            wait = max(_PAUSE, error.retry_after or 0)
            if wait > patience:
                raise
            patience -= wait
        else:
            if not attempt.wait:
                yield from attempt.refusals
                return
            tries, wait = tries + 1, attempt.wait
        time.sleep(wait)
