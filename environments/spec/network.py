"""Network isolation: deny-all, and what is let through beside it."""

import ipaddress
import re
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from environments.spec.api_names import is_qualified
from environments.spec.base import Problem, Strict, refuse

_PORT = re.compile(r"(\d{1,5})(?:/(TCP|UDP|SCTP))?")
_LABEL = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")

_NO_LABEL = "“{}” is not a label. Use for example team or example.com/team."

#: `443`, `5432/TCP`, `53/UDP`
Port = Annotated[str, Field(max_length=12)]


class Ports(Strict):
    """A rule's ports; none: all of them."""

    ports: tuple[Port, ...] = ()
    """Such as 443, 5432/TCP or 53/UDP. Empty: all of them."""

    @model_validator(mode="after")
    def _numbers(self) -> Self:
        wrong = [port for port in self.ports if not _is_port(port)]
        refuse("Ports", [(("ports",), f"“{port}” is not a port. Use for example 443 or 53/UDP.") for port in wrong[:1]])
        return self

    def parsed(self) -> list[tuple[int, str]]:
        """The ports with their protocols."""
        found = (_PORT.fullmatch(port) for port in self.ports)
        return [(int(match[1]), match[2] or "TCP") for match in found if match]


class Egress(Ports):
    """Traffic out, to a block of addresses."""

    cidr: str
    """Such as 10.20.0.0/16."""

    def objection(self) -> str:
        """Why the API server refuses this block, although it is one; empty if it takes it."""
        block = ipaddress.ip_network(self.cidr)
        if not isinstance(block, ipaddress.IPv6Network):
            return ""
        if block.network_address.scope_id is not None:
            return f"“{self.cidr}” names a network interface. Leave out the part after %."
        if block.network_address.ipv4_mapped:
            return f"“{self.cidr}” is IPv4 in the form of IPv6. Write it as IPv4, for example 10.20.0.0/16."
        return ""

    @field_validator("cidr")
    @classmethod
    def _block(cls, value: str) -> str:
        try:
            return str(ipaddress.ip_network(value))
        except ValueError as error:
            raise ValueError(f"“{value}” is not a CIDR block. Use for example 10.20.0.0/16.") from error


class Ingress(Ports):
    """Traffic in, from the namespaces that have a label."""

    label: str
    """The key of a namespace's label, such as team or example.com/team."""
    value: str
    """Its value."""

    @model_validator(mode="after")
    def _selector(self) -> Self:
        if not _LABEL.fullmatch(self.label):
            refuse("Ingress", [(("label",), _NO_LABEL.format(self.label))])
        if not _VALUE.fullmatch(self.value):
            refuse("Ingress", [(("value",), f"“{self.value}” is not a label value. Use for example payments.")])
        return self

    def objection(self) -> str:
        """Why the API server refuses this label, although stored templates may have it; empty if it takes it."""
        return "" if is_qualified(self.label) else _NO_LABEL.format(self.label)


class Network(Strict):
    """Deny-all, always, and what is let through beside it."""

    dns: bool = True
    """Pods can resolve DNS names."""
    same_namespace: bool = False
    """Pods in the namespace can reach each other."""
    ingress_controller: bool = False
    """The ingress controller can reach the pods. The cluster's row names its namespace."""
    egress: tuple[Egress, ...] = ()
    """Blocks of addresses that pods reach."""
    ingress: tuple[Ingress, ...] = ()
    """Namespaces that reach the pods."""

    def objections(self) -> list[Problem]:
        """What the API server refuses, with its place."""
        blocks = [(("network", "egress", index, "cidr"), rule.objection()) for index, rule in enumerate(self.egress)]
        labels = [(("network", "ingress", index, "label"), rule.objection()) for index, rule in enumerate(self.ingress)]
        return [(place, sentence) for place, sentence in (*blocks, *labels) if sentence]

    def sentences(self) -> list[str]:
        """What gets through, a sentence each; none where nothing does."""
        ticked = (
            (self.dns, "Pods can resolve DNS names."),
            (self.same_namespace, "Pods in the namespace can reach each other."),
            (self.ingress_controller, "The ingress controller can reach the pods."),
        )
        return [
            *(sentence for on, sentence in ticked if on),
            *(f"Pods can reach {rule.cidr}{_on(rule)}." for rule in self.egress),
            *(f"Namespaces labelled {rule.label}={rule.value} can reach the pods{_on(rule)}." for rule in self.ingress),
        ]


def _is_port(text: str) -> bool:
    match = _PORT.fullmatch(text)
    return match is not None and 1 <= int(match[1]) <= 65535


def _on(rule: Ports) -> str:
    return f" on {', '.join(rule.ports)}" if rule.ports else ""
