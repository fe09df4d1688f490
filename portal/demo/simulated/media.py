"""What a client accepts: the parts of an Accept header that the API server knows.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

from dataclasses import dataclass
from functools import lru_cache

from portal.demo.simulated.statuses import StatusError

_PLAIN = ("application/json", "application/*", "*/*")


@dataclass(frozen=True)
class Accepted:
    """The first form in a client's list that there is."""

    is_table: bool = False
    is_aggregated: bool = False


@lru_cache(maxsize=64)
def accepted(header: str) -> Accepted:
    """Read an Accept header. Raises StatusError 406 for one that leaves nothing: all answers are JSON."""
    if not header.strip():
        return Accepted()
    for part in header.split(","):
        name, *rest = (each.strip() for each in part.split(";"))
        options = dict(each.partition("=")[::2] for each in rest)
        form = options.get("as", ""), options.get("g", ""), options.get("v", "")
        if name not in _PLAIN:
            continue
        if not form[0]:
            return Accepted()
        if name == "application/json" and form in _FORMS:
            return _FORMS[form]
    raise not_acceptable()


def not_acceptable() -> StatusError:
    """406."""
    message = "only the following media types are accepted: application/json, application/json;as=Table;v=v1"
    return StatusError(406, "NotAcceptable", message, {})


_FORMS = {
    ("Table", "meta.k8s.io", "v1"): Accepted(is_table=True),
    ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"): Accepted(is_aggregated=True),
}
