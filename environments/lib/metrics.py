"""What Prometheus counts where the work is done. portal/metrics.py serves it, beside what the database knows.

Every label has few values, whatever a cluster or a directory answers: a reason that is not ours counts as Other.
Times are in seconds. Naming: https://prometheus.io/docs/practices/naming/
"""

import time
from collections.abc import Callable
from functools import wraps

from prometheus_client import Counter, Histogram

_REASONS = frozenset({
    "AlreadyExists", "BadAddress", "BadAnswer", "BadCertificate", "BadCredential", "BadKey", "Conflict",
    "DeniedAddress", "Forbidden", "InternalError", "Invalid", "PartialAnswer", "Redirected", "Refused",
    "ServiceUnavailable", "Timeout", "TooBig", "TooManyPages", "TooManyRequests", "Unauthorized", "Unavailable",
    "Unreachable",
})  # fmt: skip
_ORDINARY = frozenset({"NotFound"})  # an answer, and often the one that was hoped for

_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LONG = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

RECONCILE_SECONDS = Histogram(
    "portal_reconcile_seconds", "Reconciles, by the phase they ended in, or why in none.", ["outcome"], buckets=_LONG
)
STEP_SECONDS = Histogram(
    "portal_step_seconds", "Tries of a step, by its type and the status it ended in.", ["step", "outcome"],
    buckets=_SHORT,
)  # fmt: skip
CALL_SECONDS = Histogram("portal_call_seconds", "Calls to clusters and directories.", ["target"], buckets=_SHORT)
CALL_ERRORS = Counter("portal_call_errors", "Calls that failed, by what was wrong.", ["target", "kind"])
MAILS = Counter("portal_mails", "Emails handed to the mail server, or refused by it.", ["outcome"])


def called[**P, R](target: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: measure each call to a target (cluster, directory), and count those that fail."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            except Exception as error:
                _count_error(target, str(getattr(error, "reason", "Unexpected")))
                raise
            finally:
                CALL_SECONDS.labels(target).observe(time.perf_counter() - start)

        return call

    return decorate


def reconciled(outcome: str, seconds: float) -> None:
    """Measure a reconcile, by the phase it ended in, or why in none."""
    RECONCILE_SECONDS.labels(outcome).observe(seconds)


def mailed(count: int, outcome: str) -> None:
    """Count e-mails: `sent`, or `failed`."""
    MAILS.labels(outcome).inc(count)


def tried(step: str, outcome: str, duration_ms: int) -> None:
    """Measure a try of a step."""
    STEP_SECONDS.labels(step, outcome).observe(duration_ms / 1000)


def _count_error(target: str, reason: str) -> None:
    if reason not in _ORDINARY:
        CALL_ERRORS.labels(target, reason if reason in _REASONS else "Other").inc()
