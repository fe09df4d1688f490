"""Kinds of activity: what can happen to an environment or a template, with how it looks and which email it sends.

A kind's stored value never changes: rows are kept for years, and during a rollout two versions read the same rows.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from django.db.models import TextChoices

from environments.lib.emails import Topic


class Audience(StrEnum):
    """Who gets the email about an activity."""

    APPROVERS = "approvers"
    OWNER = "owner"
    NAMESPACE_ADMINS = "namespace admins"  # the owner and all members with the role admin
    MEMBERS = "members"  # the owner and all members
    OTHER_MEMBERS = "other members"  # all members without the owner
    MANAGERS = "managers"  # of the team, and platform admins
    CONCERNED = "concerned"  # the people whose access changed, named in the event's data; not the one who changed it
    PERSON = "person"  # whose address is in the activity's data
    ASKER = "asker"  # the approver who asked a question; the approvers if they have left
    ADMINS = "admins"  # platform admins, on a request that was escalated to them
    ASKED = "asked"  # the owner and whoever asked for a change, named in the event's data; not the one who decided


@dataclass(frozen=True)
class Mail:
    """The email about an activity. An empty subject: the subject depends on what the activity is about."""

    to: Audience
    subject: str = ""  # {name} is the environment's name
    topic: Topic = Topic.STATE  # of the recipients' email settings
    waits: bool = True  # whether people who want one email a day get it then; else at once
    gathers: bool = False  # whether several that are due to one person become one email


class Activity(TextChoices):
    """What can happen to an environment: stored value, tone, icon, email if it sends one, label.

    Tones are the classes in portal.css, icons are drawn in templates/components/activity_icon.html.
    """

    tone: str
    icon: str
    mail: Mail | None

    def __new__(cls, value: str, tone: str = "", icon: str = "", mail: Mail | None = None) -> Self:
        """A member whose value is the stored text; Django has taken the label off the end already."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.tone, member.icon, member.mail = tone, icon, mail
        return member

    # A request and the decision on it
    REQUESTED = "Requested", "", "plus", Mail(Audience.APPROVERS, topic=Topic.DECISIONS), "Requested"
    REMINDED = "Reminded", "", "bell", "Reminder sent"
    ESCALATED = (
        "Escalated",
        "warn",
        "bell",
        Mail(Audience.ADMINS, topic=Topic.DECISIONS, waits=False),
        "Escalated to platform admins",
    )
    QUESTION_ASKED = (
        "Question",
        "",
        "question",
        Mail(Audience.OWNER, "A question about your request for {name}", Topic.REQUESTS, waits=False),
        "Question asked",
    )
    QUESTION_ANSWERED = (
        "Answer",
        "",
        "pencil",
        Mail(Audience.ASKER, "Your question about {name} was answered", Topic.DECISIONS),
        "Question answered",
    )
    APPROVED = (
        "Approved",
        "ok",
        "check",
        Mail(Audience.OWNER, "Request for {name} was approved", Topic.REQUESTS),
        "Approved",
    )
    REJECTED = (
        "Rejected",
        "bad",
        "cross",
        Mail(Audience.OWNER, "Request for {name} was rejected", Topic.REQUESTS),
        "Rejected",
    )
    WITHDRAWN = (
        "Withdrawn",
        "",
        "back",
        Mail(Audience.OWNER, "Request for {name} was withdrawn", Topic.REQUESTS),
        "Withdrawn",
    )

    # Changes that need a decision
    CHANGE_REQUESTED = (
        "Change requested",
        "",
        "plus",
        Mail(Audience.APPROVERS, topic=Topic.DECISIONS),
        "Change requested",
    )
    CHANGE_ESCALATED = (
        "Change escalated",
        "warn",
        "bell",
        Mail(Audience.ADMINS, topic=Topic.DECISIONS, waits=False),
        "Escalated to platform admins",
    )
    CHANGE_APPROVED = (
        "Change approved",
        "ok",
        "check",
        Mail(Audience.ASKED, "Your change of {name} was approved", Topic.REQUESTS),
        "Change approved",
    )
    CHANGE_REJECTED = (
        "Change rejected",
        "bad",
        "cross",
        Mail(Audience.ASKED, "Your change of {name} was rejected", Topic.REQUESTS),
        "Change rejected",
    )
    CHANGE_CLOSED = (
        "Change closed",
        "",
        "back",
        Mail(Audience.ASKED, "Your change of {name} was closed", Topic.REQUESTS),
        "Change closed",
    )
    CHANGE_WITHDRAWN = "Change withdrawn", "", "back", "Change withdrawn"

    # What a reconcile finds
    READY = "Ready", "ok", "check", Mail(Audience.MEMBERS, "Environment {name} is ready"), "Ready"
    DEGRADED = "Degraded", "warn", "warning", "Degraded"
    FAILED = "Failed", "bad", "cross", Mail(Audience.OWNER, "Environment {name} needs attention"), "Failed"
    CHANGED_BY_HAND = "Drift", "warn", "pencil", "Changed by hand"
    CHANGED_BY_CLUSTER = (
        "Mutated",
        "warn",
        "warning",
        Mail(Audience.MANAGERS, "The cluster loosens the limits of environment {name}", Topic.CARE),
        "Changed by the cluster",
    )
    REPAIRED = "Repaired", "ok", "wrench", "Repaired"

    # What people change
    ACCESS_CHANGED = (
        "Access",
        "",
        "person",
        Mail(Audience.CONCERNED, "Your access to {name} changed", Topic.ACCESS),
        "Access changed",
    )
    NAME_CHANGED = "Name", "", "person", "Name changed"
    ACCESS_REQUESTED = (
        "Access requested",
        "",
        "person",
        Mail(Audience.OWNER, "Someone requests access to {name}", Topic.ACCESS),
        "Access requested",
    )
    ACCESS_DECLINED = (
        "Access declined",
        "",
        "person",
        Mail(Audience.PERSON, "Your request for access to {name} was declined", Topic.ACCESS),
        "Access declined",
    )
    MEMBER_LEFT = "Left", "", "person", Mail(Audience.OWNER, "A member left {name}", Topic.ACCESS), "Member left"
    DETAILS_CHANGED = "Details", "", "pencil", "Details changed"
    KUBECONFIG_DOWNLOADED = "Kubeconfig", "", "key", "Kubeconfig downloaded"
    TOKENS_REVOKED = "Revoked", "", "key", "Tokens revoked"
    TOKEN = "Token", "", "key", "Token"  # in old rows only: a kubeconfig was downloaded, or tokens were revoked
    OWNER_CHANGED = (
        "Handover",
        "",
        "person",
        Mail(Audience.CONCERNED, "{name} has a new owner", Topic.ACCESS),
        "Owner changed",
    )
    VERSION_CHANGED = "Moved", "", "arrows", "Version changed"
    NETWORK_OPENED = "Opened", "", "shield", "Network opened"
    NETWORK_CLOSED = "Closed", "", "shield", "Network closed"
    SIZE_CHANGED = "Resized", "", "arrows", "Size changed"
    ALERTS_CHANGED = "Alerts", "", "bell", "Alerts changed"
    CHECK_REQUESTED = "Retry", "", "refresh", "Check requested"

    STILL_NEEDED = "Kept", "ok", "check", "Still needed"

    # What the portal notices by itself
    REVIEW_UNANSWERED = (
        "Unanswered",
        "warn",
        "question",
        Mail(Audience.MANAGERS, "No one has said whether {name} is still needed", Topic.CARE),
        "No answer",
    )
    REVIEW_ASKED = "Asked", "", "question", "Asked if still needed"
    QUOTA_NEARLY_FULL = (
        "Quota",
        "warn",
        "gauge",
        Mail(Audience.NAMESPACE_ADMINS, topic=Topic.ALERTS, gathers=True),
        "Quota nearly full",
    )
    ORPHANED = (
        "Orphaned",
        "warn",
        "person",
        Mail(Audience.MANAGERS, "Environment {name} has lost its owner", Topic.CARE),
        "Orphaned",
    )
    OWNER_RETURNED = "Owned", "", "person", "Owner returned"

    OPENING_ENDED = (
        "Opening ended",
        "",
        "shield",
        Mail(Audience.OWNER, "A network opening of {name} ended", Topic.ACCESS),
        "Network opening ended",
    )

    # The end
    EXTENDED = "Extended", "", "clock", "Extended"
    EXPIRES_SOON = (
        "Ends soon",
        "warn",
        "clock",
        Mail(Audience.OTHER_MEMBERS, "Environment {name} expires soon", Topic.ENDS, waits=False),
        "Expires soon",
    )
    EXPIRED = "Ended", "", "clock", "Expired"
    CLUSTER_LOST = "Cluster lost", "", "warning", "Cluster lost"
    DELETION_REQUESTED = "Delete", "", "trash", "Deletion requested"
    DELETED = (
        "Deleted",
        "",
        "trash",
        Mail(Audience.MEMBERS, "Environment {name} was deleted", Topic.ENDS),
        "Deleted",
    )
    CLEANED_UP = "Cleaned", "", "trash", "Cleaned up"


class TemplateActivity(TextChoices):
    """What can happen to a template and its versions: stored value, label."""

    DRAFT_CREATED = "Draft", "Draft created"
    DRAFT_EDITED = "Edit", "Draft edited"
    DRAFT_DISCARDED = "Discard", "Draft discarded"
    CHECKED = "Check", "Checked on clusters"
    PUBLISHED = "Publish", "Published"
    RETIRED = "Retire", "Retired"
    CARD_CHANGED = "Card", "Card changed"
