"""The record: everything the portal knows, in the words its users see."""

from environments.models.access_requests import AccessRequest
from environments.models.clusters import Cluster
from environments.models.directories import Directory, LocalGroup
from environments.models.environments import Condition, Environment, Group, Member
from environments.models.events import Event
from environments.models.people import Invitation, Team, User
from environments.models.templates import Template, TemplateVersion
from environments.models.usage import Consumption, Rate, Span, Usage

__all__ = [
    "AccessRequest",
    "Cluster",
    "Condition",
    "Consumption",
    "Directory",
    "Environment",
    "Event",
    "Group",
    "Invitation",
    "LocalGroup",
    "Member",
    "Rate",
    "Span",
    "Team",
    "Template",
    "TemplateVersion",
    "Usage",
    "User",
]
