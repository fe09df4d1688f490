"""The pages of a list: as many as are read, and half as many objects a page where a page is too big to read.

Anyone who may create objects may make a page as big as they like: twenty-five of 1.4 MB are more than one answer may
have. The same objects fit into several pages. Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from environments.kube.answers import TOO_BIG, bad_answer
from environments.lib.errors import TemporaryError

MAX_LIST_SECONDS = 120  # for all the pages of a list
MAX_LIST_PAGES = 1000  # half a million objects of a kind
MAX_LIST_BYTES = 256 * 1024 * 1024
PAGE = 500  # objects a list call, the size that client-go's pager uses
_LIGHT = 4 * 1024 * 1024  # bytes of a page after which twice as many objects are tried again

Objects = list[dict[str, Any]]
#: What is added to the query of a list call -> the objects, the token of the next page, and how many bytes they had.
Fetch = Callable[[dict[str, str]], tuple[tuple[Objects, str], int]]


def pages(kind: str, limit: int, fetch: Fetch) -> Iterator[Objects]:
    """Each page of a list, of at most `limit` objects. A page that is too big is asked for again, half as long.

    Raises what `fetch` raises; also TooBig, if a single object is too big to read. Raises TemporaryError (BadAnswer)
    where the pages go in a circle or have no end: a part must not pass for the whole.
    """
    seen, size, end = set[str](), 0, time.monotonic() + MAX_LIST_SECONDS
    most, query = limit, dict[str, str]()
    while len(seen) < MAX_LIST_PAGES and size < MAX_LIST_BYTES and time.monotonic() < end:
        try:
            (items, token), length = fetch(query | {"limit": str(most)})
        except TemporaryError as error:
            if error.reason != TOO_BIG or most == 1:
                raise
            most //= 2
            continue
        yield items
        if not token:
            return
        if token in seen:
            raise bad_answer("repeats a page")
        seen.add(token)
        size += length
        query = {"continue": token}
        most = min(2 * most, limit) if length < _LIGHT else most
    raise bad_answer(f"is a list of {kind} objects that does not end")
