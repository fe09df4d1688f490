"""A directory's test without the row and the queue: its steps one after the other, and the waits between them."""

from typing import Any

from environments.actions.directories import Trial, take_step


def steps(row: Any, email: str, waited: list[float] | None = None) -> Trial:
    """Do all steps of a new test; `waited` gets the waits between them."""
    trial = Trial.new(email)
    while not trial.is_over:
        trial, wait = take_step(row, trial)
        if wait and waited is not None:
            waited.append(wait)
    return trial
