"""The order of figures, labels and annotations: ours, since PostgreSQL keeps none in JSON."""

from typing import Any

from environments.lib import quantities

_FIGURES = ("quota", "default", "default_request", "maximum", "labels", "annotations")


def ordered(data: Any) -> Any:
    """Plain data of a template with its figures in the one order that every listing has."""
    if isinstance(data, list):
        return [ordered(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {
        key: dict(sorted(value.items(), key=_rank)) if key in _FIGURES and isinstance(value, dict) else ordered(value)
        for key, value in data.items()
    }


def _rank(item: tuple[str, str]) -> tuple[int, str]:
    return quantities.rank(item[0])
