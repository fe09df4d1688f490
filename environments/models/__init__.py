"""The record: everything the portal knows, in the words its users see."""

from environments.models.clusters import Cluster
from environments.models.conditions import Condition
from environments.models.directories import Directory, LocalGroup
from environments.models.environments import Environment, Group, Member
from environments.models.events import Event
from environments.models.identities import TeamGroup, UnlinkedIdentity
from environments.models.people import Invitation, Team, User
from environments.models.templates import Template, TemplateVersion
from environments.models.usage import Consumption, Rate, Span, Usage

__all__ = [
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
    "TeamGroup",
    "Template",
    "TemplateVersion",
    "UnlinkedIdentity",
    "Usage",
    "User",
]
