"""What people do, one file a noun. Every verb checks for itself."""

from environments.actions.drafts import Draft
from environments.actions.environments import (
    carry_out,
    delete_environment,
    extend_environment,
    request_environment,
    try_again,
    withdraw_request,
)
from environments.actions.moving import move_environment

__all__ = [
    "Draft",
    "carry_out",
    "delete_environment",
    "extend_environment",
    "move_environment",
    "request_environment",
    "try_again",
    "withdraw_request",
]
