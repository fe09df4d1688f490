"""Host names that an environment may use: patterns such as `*.${namespace}.apps.example.com`. Pure.

The policies allotment-ingresses and allotment-routes match in the same way (deploy/admission).
"""

import re
from collections.abc import Iterable

NAMESPACE = "${namespace}"
MOST = 10  # patterns of a cluster or a template
_SAMPLE = "team-a-web-x7k2p"
_EXAMPLE = "*.${namespace}.apps.example.com"
_PATTERN = re.compile(r"(\*[.-])?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")


def split(text: str) -> tuple[str, ...]:
    """The patterns in a line of text, with commas or spaces between them, each once."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def problem(pattern: str, *, needs_namespace: bool) -> str:
    """Why this is not a pattern for host names; empty if it is one."""
    sample = pattern.replace(NAMESPACE, _SAMPLE)
    if len(sample) > 253 or not _PATTERN.fullmatch(sample):
        return f"“{pattern}” is not a pattern for host names. Use for example {_EXAMPLE}."
    if needs_namespace and NAMESPACE not in pattern:
        return f"Add {NAMESPACE} to “{pattern}”, so that no environment can use host names of another."
    return ""


def filled(patterns: Iterable[str], namespace: str) -> tuple[str, ...]:
    """The patterns of one namespace."""
    return tuple(pattern.replace(NAMESPACE, namespace) for pattern in patterns)


def matches(pattern: str, host: str) -> bool:
    """Whether a pattern of one namespace allows a host name. `*` stands for one or more characters at the start."""
    if pattern.startswith("*"):
        return host.endswith(pattern[1:]) and len(host) >= len(pattern)
    return host == pattern


def domain(patterns: Iterable[str], namespace: str) -> str:
    """What comes after `*.` or `*-` in the first pattern of a namespace; empty without patterns."""
    first = next(iter(filled(patterns, namespace)), "")
    return first[2:] if first.startswith("*") else first
