"""The pages of a list, read while the ones before them are looked at."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import batched

from environments.kube import manifests
from environments.kube.client import PAGE, ClusterClient, Manifest
from environments.lib.errors import TemporaryError

Page = tuple[Manifest, ...]


def pages(client: ClusterClient, kind: str, deadline: float) -> Iterator[Page]:
    """The portal's objects of a kind, page by page. `deadline`: when to give up, by the monotonic clock.

    Raises what the client raises, and TemporaryError at the deadline.
    """
    objects = client.list_objects(kind, labels=manifests.SELECTOR, lean=True)
    for page in _one_ahead(batched(objects, PAGE, strict=False)):
        if time.monotonic() > deadline:
            raise TemporaryError("The portal could not read the whole cluster in time.", reason="Timeout")
        yield page


def _one_ahead(source: Iterator[Page]) -> Iterator[Page]:
    """The same, with the next page on its way: the API server works while we do. Two pages are held at most."""
    with ThreadPoolExecutor(1, thread_name_prefix="pages") as reader:
        upcoming = reader.submit(next, source, None)
        while (page := upcoming.result()) is not None:
            upcoming = reader.submit(next, source, None)
            yield page
