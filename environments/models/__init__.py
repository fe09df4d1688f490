"""The record: everything the portal knows, in the words its users see."""

from environments.models.access_requests import AccessRequest
from environments.models.checks import ClusterVerdict, PublishCheck
from environments.models.clusters import Cluster
from environments.models.conditions import Condition
from environments.models.directories import Directory, LocalGroup
from environments.models.environments import Environment
from environments.models.events import Event, Letter
from environments.models.identities import TeamGroup, UnlinkedIdentity
from environments.models.isolation import IsolationTest
from environments.models.members import Group, Member
from environments.models.people import Invitation, Team, User
from environments.models.questions import Question
from environments.models.sessions import ProviderSession, UsedLogoutToken
from environments.models.sign_ins import Departure, TokenCheck
from environments.models.stand_ins import StandIn
from environments.models.templates import Template, TemplateVersion
from environments.models.usage import Consumption, Rate, Span, Usage

__all__ = [
    "AccessRequest",
    "Cluster",
    "ClusterVerdict",
    "Condition",
    "Consumption",
    "Departure",
    "Directory",
    "Environment",
    "Event",
    "Group",
    "Invitation",
    "IsolationTest",
    "Letter",
    "LocalGroup",
    "Member",
    "ProviderSession",
    "PublishCheck",
    "Question",
    "Rate",
    "Span",
    "StandIn",
    "Team",
    "TeamGroup",
    "Template",
    "TemplateVersion",
    "TokenCheck",
    "UnlinkedIdentity",
    "Usage",
    "UsedLogoutToken",
    "User",
]
