"""What a network opening lets pods reach: blocks of addresses and labelled namespaces, each on some ports or on all.

People write a destination a line: `10.20.0.5/32 5432`, `0.0.0.0/0 443,80`, `team=payments 8443/TCP`.
"""

import re
from typing import Any

from pydantic import ValidationError

from environments.spec.base import Strict, problem_of
from environments.spec.network import Egress, Ingress

MOST = 50  # destinations


class Destinations(Strict):
    """Where traffic may go, in addition to what the template lets through."""

    blocks: tuple[Egress, ...] = ()
    """Blocks of addresses."""
    namespaces: tuple[Ingress, ...] = ()
    """Namespaces by a label of theirs."""

    def phrases(self) -> list[str]:
        """Where traffic may go: `10.20.0.5/32 on 5432`, `namespaces labelled team=payments on 8443/TCP`."""
        found = [(rule.cidr, rule.ports) for rule in self.blocks]
        found += [(f"namespaces labelled {rule.label}={rule.value}", rule.ports) for rule in self.namespaces]
        return [f"{where} on {', '.join(ports)}" if ports else where for where, ports in found]

    def sentences(self) -> list[str]:
        """What gets through, a sentence each."""
        return [f"Pods can reach {phrase}." for phrase in self.phrases()]

    def lines(self) -> str:
        """As people write it."""
        found = [(rule.cidr, rule.ports) for rule in self.blocks]
        found += [(f"{rule.label}={rule.value}", rule.ports) for rule in self.namespaces]
        return "\n".join(f"{where} {','.join(ports)}".strip() for where, ports in found)


def parse_lines(text: str) -> Destinations:
    """The destinations of some lines. Raises ValueError with a sentence for each line that is wrong."""
    blocks: list[Egress] = []
    namespaces: list[Ingress] = []
    wrong: list[str] = []
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    for number, words in lines:
        try:
            rule = _rule(words)
        except ValueError as error:
            wrong.append(f"Line {number}: {error}")
            continue
        (blocks if isinstance(rule, Egress) else namespaces).append(rule)  # type: ignore[arg-type]
    if not lines:
        wrong.append("Enter at least one destination, for example 10.20.0.5/32 5432.")
    if len(lines) > MOST:
        wrong.append(f"Enter at most {MOST} destinations; you entered {len(lines)}.")
    if wrong:
        raise ValueError("\n".join(wrong))
    return Destinations(blocks=tuple(blocks), namespaces=tuple(namespaces))


def parse_stored(data: Any) -> Destinations:
    """The destinations as they are stored. Raises pydantic's ValidationError."""
    return Destinations.model_validate(data)


def _rule(words: list[str]) -> Egress | Ingress:
    where, *rest = words
    ports = tuple(port.upper() for port in re.split(r",", rest[0]) if port) if rest else ()
    if len(rest) > 1:
        raise ValueError("Write the destination, a space, and the ports with commas, for example 10.20.0.5/32 443,80.")
    try:
        if "=" in where:
            label, value = where.split("=", 1)
            rule: Egress | Ingress = Ingress(label=label, value=value, ports=ports)
        else:
            rule = Egress(cidr=where, ports=ports)
    except ValidationError as error:
        raise ValueError(" ".join(problem_of(item)[1] for item in error.errors())) from error
    if objection := rule.objection():
        raise ValueError(objection)
    return rule
