"""What environments used: counted by the hour, rolled up by day and month, read for charts, pruned in the end."""

from environments.usage.history import Point, history

__all__ = ["Point", "history"]
