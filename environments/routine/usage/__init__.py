"""What environments used: counted by the hour, rolled up by day and month, read for charts, pruned in the end."""

from environments.routine.usage.counting import Figures
from environments.routine.usage.history import Point, history
from environments.routine.usage.recording import record, settle
from environments.routine.usage.retention import prune
from environments.routine.usage.rolling import roll_up

__all__ = ["Figures", "Point", "history", "prune", "record", "roll_up", "settle"]
