"""The parts of a template: sizes, container limits, Pod Security, lifetime, names."""

import re
from datetime import datetime, timedelta
from operator import not_
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from environments.lib import hosts, naming, quantities
from environments.lib.wording import listed
from environments.spec.base import PLACEHOLDER, Figures, LaterSwitch, Name, Problem, Strict, in_words, refuse


class Size(Strict):
    """A named preset: what `quota` says for it goes over the template's own quota."""

    name: Name
    """What environments record; it stays the same while the label changes."""
    label: str = ""
    """What people read. Empty: made from the name."""
    quota: Figures = Field(default_factory=dict)
    """Figures by resource. They go over the template's own quota."""
    teams: tuple[str, ...] = ()
    """Names of the teams that may have this size. Empty: everybody."""
    approval: LaterSwitch = False
    """Whether a manager of the team has to approve a request for this size."""

    @property
    def title(self) -> str:
        """What people call it."""
        return self.label or in_words(self.name)


class Limits(Strict):
    """The LimitRange's container defaults, so that pods without resources start under a quota."""

    default: Figures = Field(default_factory=dict)
    """The limit of a container that sets none."""
    default_request: Figures = Field(default_factory=dict)
    """The request of a container that sets none."""
    maximum: Figures = Field(default_factory=dict)
    """The most that one container may have."""

    @property
    def default_words(self) -> str:
        """The defaults as people read them: `100m CPU, 128Mi memory and 1Gi ephemeral storage`."""
        figures = [f"{amount} {quantities.inside(quantities.name(key))}" for key, amount in self.default.items()]
        return listed(figures)

    def groups(self) -> tuple[tuple[str, Figures], ...]:
        """The three kinds of figures with their names."""
        return ("default_request", self.default_request), ("default", self.default), ("maximum", self.maximum)


_LEVELS = ["privileged", "baseline", "restricted"]
Level = Annotated[str, Field(json_schema_extra={"enum": list[Any](_LEVELS)})]


class PodSecurity(Strict):
    """Pod Security admission levels. https://kubernetes.io/docs/concepts/security/pod-security-standards/"""

    enforce: Level = "baseline"
    """Pods below this level are refused."""
    audit: Level = "restricted"
    """Pods below this level are noted in the cluster's audit log."""
    warn: Level = "restricted"
    """Who makes a pod below this level is warned."""

    @field_validator("enforce", "audit", "warn")
    @classmethod
    def _level(cls, value: str) -> str:
        if value not in _LEVELS:
            raise ValueError("Choose privileged, baseline or restricted.")
        return value


_CLASS = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_RESOURCE = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_REGISTRY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


class Admission(Strict):
    """What pods and Services may have that no quota counts. Without the admission policies, nothing enforces it."""

    priority_classes: tuple[str, ...] = ()
    """Priority classes that pods may name. Those with a value of 0 or less are always allowed."""
    extended_resources: tuple[str, ...] = ()
    """Extended resources that containers may request, beside those that the quota names."""
    image_registries: tuple[str, ...] = ()
    """Where images may come from, such as registry.example.com/team. Empty: anywhere."""
    control_plane_nodes: bool = False
    """Whether pods may choose their node by name, and tolerate the taints of control plane nodes."""
    external_ips: bool = False
    """Whether Services may have externalIPs."""
    external_names: bool = False
    """Whether Services may have the type ExternalName."""
    host_names: Annotated[tuple[str, ...], Field(exclude_if=not_, max_length=hosts.MOST)] = ()  # came later
    """Host names for Ingresses and routes, such as *.${namespace}.example.com. Empty: those of the cluster."""

    @model_validator(mode="after")
    def _well_formed(self) -> Self:
        checks = (
            ("priority_classes", _CLASS, "is not the name of a priority class, for example batch-low"),
            ("extended_resources", _RESOURCE, "is not an extended resource, for example nvidia.com/gpu"),
            ("image_registries", _REGISTRY, "is not a registry, for example registry.example.com/team"),
        )
        found: list[Problem] = [
            ((field,), f"“{text}” {words}.")
            for field, pattern, words in checks
            for text in getattr(self, field)
            if not pattern.fullmatch(text) or len(text) > 253
        ]
        problems = (hosts.problem(text, needs_namespace=False) for text in self.host_names)
        found += [(("host_names",), sentence) for sentence in problems if sentence]
        refuse("Admission", found)
        return self

    def sentences(self) -> list[str]:
        """What differs from the safe values, for people."""
        texts = {
            "Priority classes: {}.": self.priority_classes,
            "More extended resources: {}.": self.extended_resources,
            "Images only from {}.": self.image_registries,
            "Host names only as {}.": self.host_names,
        }
        found = [text.format(", ".join(words)) for text, words in texts.items() if words]
        found += ["Pods may choose their node and use control plane nodes."] if self.control_plane_nodes else []
        found += ["Services may have externalIPs."] if self.external_ips else []
        return found + (["Services may have the type ExternalName."] if self.external_names else [])


_EXTENDABLE, _HOUR = timedelta(days=14), timedelta(hours=1)


class Extension(Strict):
    """How far an owner may put the end off."""

    maximum_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """The last possible end, in days from the request. Empty: none."""
    times: Annotated[int, Field(ge=0, le=1000)] | None = None
    """How often. Empty: as often as they like."""

    def opens(self, days: int, ends_at: datetime) -> datetime:
        """From when on it can be extended."""
        return ends_at - min(_EXTENDABLE, timedelta(days=days) / 2)

    def after(
        self, days: int, created_at: datetime, ends_at: datetime, extensions: int, now: datetime
    ) -> datetime | None:
        """The end after one more extension: `days` from now. None before the last two weeks, or if no more is allowed.

        A life of less than four weeks can be extended in its second half. The time of day is in whole hours from the
        old end, so that a page shows the same end for a while.
        """
        if now < self.opens(days, ends_at) or (self.times is not None and extensions >= self.times):
            return None
        later = ends_at + (now + timedelta(days=days) - ends_at) // _HOUR * _HOUR
        if self.maximum_days is not None:
            later = min(later, created_at + timedelta(days=self.maximum_days))
        return later if later > ends_at else None


class Naming(Strict):
    """Patterns for names. The suffix keeps equal wishes apart, so a namespace's name cannot do without it."""

    namespace: str = naming.NAMESPACE_PATTERN
    """Of ${owner}, ${name}, ${team}, ${template}, ${size} and ${suffix}; the suffix is needed."""
    group: str = naming.GROUP_PATTERN
    """Of ${namespace}, ${role}, ${owner}, ${name}, ${team} and ${template}; the first two are needed."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        problems = [
            *pattern_problems("namespace", self.namespace, NAMESPACE_PARTS, needed=("suffix",)),
            *pattern_problems("group", self.group, GROUP_PARTS, needed=("namespace", "role")),
        ]
        refuse("Naming", problems)
        return self


NAMESPACE_PARTS = frozenset({"owner", "name", "team", "template", "size", "suffix"})
GROUP_PARTS = frozenset({"namespace", "role", "owner", "name", "team", "template"})


def pattern_problems(field: str, pattern: str, parts: frozenset[str], *, needed: tuple[str, ...]) -> list[Problem]:
    """What is wrong with a pattern of `${part}` and literal letters."""
    used = PLACEHOLDER.findall(pattern)
    unknown = sorted(set(used) - parts)
    missing = [part for part in needed if part not in used]
    rest = PLACEHOLDER.sub("", pattern)
    if unknown:
        return [((field,), f"${{{unknown[0]}}} is not available here. Use {', '.join(sorted(parts))}.")]
    if missing:
        return [((field,), f"Add ${{{missing[0]}}}, so that names are unique.")]
    if not re.fullmatch(r"[a-z0-9-]*", rest):
        return [((field,), "Use only lower-case letters, digits and hyphens between the parts.")]
    return []
