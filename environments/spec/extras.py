"""Extra manifests: objects that a template puts into every environment, besides what governs it.

They are YAML documents with `${parameter}` in their texts. Before a template is published every document is tried
with sample values, with every value of a list, and with what may be left empty (`problems`). When an environment is
made they are checked once more with the values it has (`documents`): a name, say, is only known then.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from environments.lib import hosts
from environments.spec import extra_checks, extra_permits, extra_rights
from environments.spec.extra_checks import KINDS
from environments.spec.filling import Filled, Remark, fill, misplaced, placeholders, unknown
from environments.spec.parameters import Kind, Mode, Parameter, sample
from environments.spec.yaml_documents import Document, Flaw, read

if TYPE_CHECKING:
    from environments.spec.template import TemplateSpec

#: What documents can use beside the template's parameters, with a value to try them with.
PORTAL_VALUES = {"namespace": "team-a-web-x7k2p", "host_domain": "team-a-web-x7k2p.apps.example.com"}

_HOSTS = "host_domain"
_NO_HOSTS = "The cluster has no pattern for host names, so ${host_domain} has no value. Ask a platform admin to set it."

MOST_DOCUMENTS, MOST_BYTES = 50, 100_000
_MOST_TRIALS = 200  # lists of values multiply


def problems(text: str, spec: "TemplateSpec") -> list[Flaw]:
    """Everything that a template's manifests may not be, each with its line, in the order of the text."""
    parsed, flaws = _read(text)
    if flaws:
        return flaws
    found = dict.fromkeys(_static(parsed, spec))
    if not found:
        for words, values in islice(_trials(parsed, spec), _MOST_TRIALS):
            fresh = [flaw for flaw in _tried(parsed, spec, values) if flaw not in found]
            found |= dict.fromkeys((line, f"{sentence}{words}") for line, sentence in fresh)
    return sorted(found, key=lambda flaw: flaw[0])


def documents(spec: "TemplateSpec", values: Mapping[str, str]) -> list[dict[str, Any]]:
    """The manifests with an environment's values, in the order in which they are made.

    Raises ValueError, a sentence a line, where one may not be made.
    """
    parsed, flaws = _read(spec.manifests)
    flaws = flaws or _static(parsed, spec) or _without_hosts(parsed, spec, values)
    filled: list[Filled] = []
    if not flaws:
        filled, remarks = _filled(parsed, spec, _complete(spec, values))
        flaws = remarks or list(_checked(filled, spec))
    if flaws:
        raise ValueError("\n".join(sentence for _, sentence in flaws))
    order = list(KINDS)
    return [each.data for each in sorted(filled, key=lambda each: order.index(each.kind))]


def located(
    spec: "TemplateSpec", values: Mapping[str, str], key: tuple[str, str], remark: tuple[tuple[str | int, ...], str]
) -> Flaw | None:
    """A remark about the document that makes the object with this kind and name, with its line; None without one."""
    parsed, _ = _read(spec.manifests)
    filled, _ = _filled(parsed, spec, _complete(spec, values))
    return next((each.sentence(remark) for each in filled if (each.kind, each.name) == key), None)


@lru_cache(maxsize=256)
def kinds(text: str) -> frozenset[str]:
    """The kinds that a template's manifests are of."""
    named = (each.data.get("kind") for each in _read(text)[0] if isinstance(each.data, dict))
    return frozenset(kind for kind in named if kind in KINDS)


def _read(text: str) -> tuple[tuple[Document, ...], list[Flaw]]:
    size = len(text.encode())
    if size > MOST_BYTES:
        return (), [(1, f"The manifests have {size} bytes; the limit is {MOST_BYTES}.")]
    parsed, flaws = read(text)
    if len(parsed) > MOST_DOCUMENTS:
        line = parsed[MOST_DOCUMENTS].line(())
        return (), [(line, f"Line {line}: there are {len(parsed)} documents; the limit is {MOST_DOCUMENTS}.")]
    return parsed, [(line, f"Line {line}: {sentence}") for line, sentence in flaws]


def _static(parsed: Iterable[Document], spec: "TemplateSpec") -> list[Flaw]:
    """What is wrong whatever the values are."""
    names = {parameter.name for parameter in spec.parameters} | PORTAL_VALUES.keys()
    return [
        Filled(number, document, document.data).sentence(remark)
        for number, document in enumerate(parsed, 1)
        for remark in (*misplaced(document), *unknown(document, names))
    ]


def uses_hosts(spec: "TemplateSpec") -> bool:
    """Whether the manifests need the cluster's pattern for host names."""
    return f"${{{_HOSTS}}}" in spec.manifests and all(parameter.name != _HOSTS for parameter in spec.parameters)


def _without_hosts(parsed: Iterable[Document], spec: "TemplateSpec", values: Mapping[str, str]) -> list[Flaw]:
    """Where host names are used on a cluster that has no pattern for them."""
    if values.get(_HOSTS, PORTAL_VALUES[_HOSTS]) or not uses_hosts(spec):
        return []
    others = {parameter.name for parameter in spec.parameters} | {*PORTAL_VALUES} - {_HOSTS}
    return [
        Filled(number, document, document.data).sentence((path, _NO_HOSTS))
        for number, document in enumerate(parsed, 1)
        for path, _ in unknown(document, others)
    ]


def _tried(parsed: Iterable[Document], spec: "TemplateSpec", values: Mapping[str, str]) -> list[Flaw]:
    filled, flaws = _filled(parsed, spec, values)
    open_names = {each.name for each in spec.parameters if not each.choices and each.mode is not Mode.FIXED}
    found = [*flaws, *_checked(filled, spec)]
    return found or list(_unpermitted(filled, spec, values, frozenset(open_names)))


def unpermitted(spec: "TemplateSpec", values: Mapping[str, str]) -> list[str]:
    """What the cluster's policies would refuse of good documents with these values, a sentence each."""
    parsed, _ = _read(spec.manifests)
    complete = _complete(spec, values)
    filled, _ = _filled(parsed, spec, complete)
    return [sentence for _, sentence in _unpermitted(filled, spec, complete, frozenset())]


def _unpermitted(
    filled: list[Filled], spec: "TemplateSpec", values: Mapping[str, str], open_names: frozenset[str]
) -> Iterator[Flaw]:
    namespace = values.get("namespace", PORTAL_VALUES["namespace"])
    for one in filled:
        if one.kind in KINDS and isinstance(one.data, dict):
            yield from (one.sentence(remark) for remark in extra_permits.check(one, spec, namespace, open_names))


def _filled(
    parsed: Iterable[Document], spec: "TemplateSpec", values: Mapping[str, str]
) -> tuple[list[Filled], list[Flaw]]:
    parameters = {parameter.name: parameter for parameter in spec.parameters}
    found = [fill(number, document, parameters, values) for number, document in enumerate(parsed, 1)]
    flaws = [one.sentence(remark) for one, remarks in found for remark in remarks]
    return [one for one, _ in found], flaws


def _checked(filled: list[Filled], spec: "TemplateSpec") -> Iterator[Flaw]:
    """What is wrong with the documents as they are, one by one and together."""
    own_roles = {one.name for one in filled if one.kind == "Role"}
    seen: set[tuple[str, str]] = set()
    for one in filled:
        remarks = list(extra_checks.check(one))
        if one.kind in KINDS and isinstance(one.data, dict):
            remarks += extra_rights.check(one, spec.owner_role, own_roles)
            remarks += _scaled(one, filled)
        if one.name and (one.kind, one.name) in seen:
            remarks.append((("metadata", "name"), "Another object has the same kind and name."))
        seen.add((one.kind, one.name))
        yield from (one.sentence(remark) for remark in remarks)


def _scaled(one: Filled, filled: list[Filled]) -> Iterator[Remark]:
    """Where an autoscaler sets the replicas, the template must not: the portal would put them back every time."""
    body = one.data.get("spec")
    if not isinstance(body, dict) or "replicas" not in body:
        return
    for other in filled:
        target = other.data.get("spec") if other.kind == "HorizontalPodAutoscaler" else None
        target = target.get("scaleTargetRef") if isinstance(target, dict) else None
        if isinstance(target, dict) and (target.get("kind"), target.get("name")) == (one.kind, one.name):
            yield ("spec", "replicas"), f"Leave replicas out: HorizontalPodAutoscaler {other.name} sets them."


def _trials(parsed: Iterable[Document], spec: "TemplateSpec") -> Iterator[tuple[str, dict[str, str]]]:
    """Values to try, each with the words for what is special about them."""
    used = {name for document in parsed for name in placeholders(document.data)}
    usual = _known(spec, {}) | {parameter.name: example(parameter) for parameter in spec.parameters}
    yield "", usual
    for parameter in spec.parameters:
        if parameter.name not in used:
            continue
        for choice in parameter.choices:
            yield f" (with {choice} for ${{{parameter.name}}})", usual | {parameter.name: choice}
        if not (parameter.required or parameter.default or parameter.type is Kind.BOOLEAN):
            yield f" (with ${{{parameter.name}}} left empty)", usual | {parameter.name: ""}


def example(parameter: Parameter) -> str:
    """A value to try a template with that fits in most places: names know no _."""
    if parameter.type is Kind.BOOLEAN:
        return parameter.default or "false"
    found = sample(parameter)
    return found.replace("_", "-") if found == parameter.name else found


def _complete(spec: "TemplateSpec", values: Mapping[str, str]) -> dict[str, str]:
    """A value for every parameter: a fixed one is the template's, one that was not asked for has its default.

    What only the portal knows has a sample where it is not known yet, and no value where the cluster has none.
    """
    return _known(spec, values) | {
        parameter.name: parameter.default
        if parameter.mode is Mode.FIXED
        else _given(parameter, values.get(parameter.name))
        for parameter in spec.parameters
    }


def _known(spec: "TemplateSpec", values: Mapping[str, str]) -> dict[str, str]:
    """What only the portal knows; samples for what it does not know yet."""
    namespace = values.get("namespace", PORTAL_VALUES["namespace"])
    sample = hosts.domain(spec.admission.host_names, namespace) or PORTAL_VALUES[_HOSTS]
    domain = values.get(_HOSTS, sample)
    return {"namespace": namespace} | ({_HOSTS: domain} if domain else {})


def _given(parameter: Parameter, value: str | None) -> str:
    if value is None:
        value = parameter.default
    return value or ("false" if parameter.type is Kind.BOOLEAN else "")
