"""What environments used: counted by the hour, rolled up by day and month, read for charts, pruned in the end."""

from environments.usage.amounts import Figures
from environments.usage.history import Point, history
from environments.usage.recording import fullest, record, settle
from environments.usage.retention import prune
from environments.usage.rolling import roll_up

__all__ = ["Figures", "Point", "fullest", "history", "prune", "record", "roll_up", "settle"]
