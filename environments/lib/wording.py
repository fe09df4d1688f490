"""Words put together as people write them."""

from collections.abc import Sequence


def listed(words: Sequence[str], last: str = "and") -> str:
    """As in `a`, `a and b`, `a, b and c`; `last` is the word before the last one. Empty if there are none."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
