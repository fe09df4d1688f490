"""The record: everything the portal knows, in the words its users see."""

from environments.models.checks import ClusterVerdict, PublishCheck
from environments.models.clusters import Cluster
from environments.models.directories import Directory, LocalGroup
from environments.models.environments import Condition, Environment, Group, Member
from environments.models.events import Event, Letter
from environments.models.isolation import IsolationTest
from environments.models.people import Invitation, Team, User
from environments.models.templates import Template, TemplateVersion
from environments.models.usage import Consumption, Rate, Span, Usage

__all__ = [
    "Cluster",
    "ClusterVerdict",
    "Condition",
    "Consumption",
    "Directory",
    "Environment",
    "Event",
    "Group",
    "Invitation",
    "IsolationTest",
    "Letter",
    "LocalGroup",
    "Member",
    "PublishCheck",
    "Rate",
    "Span",
    "Team",
    "Template",
    "TemplateVersion",
    "Usage",
    "User",
]
