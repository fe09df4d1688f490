"""One pass over a cluster: usage figures, and what was changed by hand.

Costs a few list calls, however many environments there are; only those that differ are reconciled. What is read is
looked at page by page and let go of, so that ten thousand namespaces need little more memory than ten.
"""

from environments.routine.observe.passes import due, observe

__all__ = ["due", "observe"]
