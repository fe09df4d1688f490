"""The options of requests: what the API server refuses to do with them, as tables.

Source: ValidateCreateOptions, ValidatePatchOptions, ValidateDeleteOptions and ValidateListOptions of apimachinery.
"""

from collections.abc import Iterable, Iterator

from portal.demo.simulated.checks import not_allowed, not_supported
from portal.demo.simulated.kinds import Object
from portal.demo.simulated.statuses import Cause, StatusError, bad_request, bad_value, invalid_options

_KINDS = {
    "create": "CreateOptions",
    "update": "UpdateOptions",
    "patch": "PatchOptions",
    "delete": "DeleteOptions",
    "list": "ListOptions",
}
VERBS = frozenset(_KINDS)
#: Which values an option can have, and with which verbs it is looked at.
_VALUES = (
    ("fieldValidation", ("create", "update", "patch"), ("Ignore", "Warn", "Strict")),
    ("dryRun", ("create", "update", "patch", "delete"), ("All",)),
    ("propagationPolicy", ("delete",), ("Foreground", "Background", "Orphan")),
    ("resourceVersionMatch", ("list",), ("Exact", "NotOlderThan")),
)
_LONGEST_MANAGER = 128
#: How resourceVersionMatch can be wrong: when, and why.
_MATCHES = (
    (
        lambda query: not query.get("resourceVersion"),
        "resourceVersionMatch is forbidden unless resourceVersion is provided",
    ),
    (lambda query: query.get("continue"), "resourceVersionMatch is forbidden when continue is provided"),
    (
        lambda query: query["resourceVersionMatch"] == "Exact" and query.get("resourceVersion") == "0",
        'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"',
    ),
)


def check(verb: str, query: dict[str, str], *, is_apply: bool = False) -> None:
    """Raise StatusError 400 or 422 where a request's query says what cannot be."""
    causes = list(_causes(verb, query, is_apply=is_apply))
    if causes:
        raise invalid_options("meta.k8s.io", _KINDS[verb], causes)
    if verb == "list" and not (query.get("resourceVersion") or "0").isdecimal():
        raise bad_request(f'Invalid value: "{query["resourceVersion"]}": strconv.ParseUint: invalid syntax')


def _causes(verb: str, query: dict[str, str], *, is_apply: bool) -> Iterator[Cause]:
    for name, verbs, supported in _VALUES:
        if verb in verbs and query.get(name) and query[name] not in supported:
            yield not_supported(name, query[name], supported)
    if verb == "patch" and not is_apply and query.get("force"):
        yield not_allowed("force", "may not be specified for non-apply patch")
    if verb in ("create", "update", "patch") and len(query.get("fieldManager", "")) > _LONGEST_MANAGER:
        yield Cause("fieldManager", f"Too long: may not be more than {_LONGEST_MANAGER} bytes", "FieldValueTooLong")
    if verb == "list" and query.get("resourceVersionMatch"):
        yield from (not_allowed("resourceVersionMatch", why) for applies, why in _MATCHES if applies(query))


def of_deletion(query: dict[str, str], body: Object) -> Object:
    """How something is to be deleted, said in the query or in the body. Raises StatusError 422."""
    found = {key: value for key, value in query.items() if key in ("propagationPolicy", "gracePeriodSeconds")} | body
    policy = found.get("propagationPolicy")
    if policy is not None and found.get("orphanDependents") is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        raise invalid_options("meta.k8s.io", "DeleteOptions", [bad_value("propagationPolicy", policy, why)])
    check("delete", {"propagationPolicy": policy or "", "dryRun": "".join(_listed(body.get("dryRun")))})
    return found


def _listed(value: object) -> Iterable[str]:
    return value if isinstance(value, list) else ()


def require_reached(query: dict[str, str], newest: int) -> None:
    """Raise StatusError where one object is asked for in a version that is none, or that is not there yet."""
    text = query.get("resourceVersion") or "0"
    if not text.isdecimal():
        raise StatusError(500, "", f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if int(text) > newest:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        message = f"Timeout: Too large resource version: {text}, current: {newest}"
        raise StatusError(504, "Timeout", message, {"causes": [cause]}, retry_after=1)
