"""Tests whether clusters' networks isolate: the last one of each cluster."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.lib.isolation import Isolation
from environments.models.checks import SILENCE
from environments.models.clusters import Cluster


class IsolationTestState(models.TextChoices):
    """How far a test is."""

    RUNNING = "running", "Running"
    REMOVING = "removing", "Removing its pods"
    OVER = "over", "Over"


class IsolationTest(models.Model):
    """The last test of a cluster's network. It is owed to a worker until its pods are removed.

    `turn` counts the messages that were read: a message that comes twice finds another turn, and does nothing.
    """

    State = IsolationTestState

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="isolation_test")
    run = models.UUIDField(default=uuid.uuid4)
    turn = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=IsolationTestState, default=IsolationTestState.RUNNING)
    step = models.CharField(max_length=20, default="arrange")
    since = models.DateTimeField(default=timezone.now, help_text="When this step began.")
    image = models.TextField()
    address = models.CharField(max_length=64, blank=True, help_text="Of the pod that listens.")
    listener = models.CharField(max_length=64, blank=True, help_text="The uid of the pod that listens.")
    found = models.JSONField(default=dict, help_text="For each stage, the exit codes of the client's containers.")
    losses = models.PositiveSmallIntegerField(default=0, help_text="How often its worker or its workbench was lost.")
    patience = models.FloatField(default=0, help_text="Seconds left to wait for a cluster that does not answer.")
    result = models.CharField(max_length=10, choices=Isolation, blank=True)
    message = models.CharField(max_length=900, blank=True, help_text="The result as a sentence.")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, help_text="When it had its result.")
    at = models.DateTimeField(default=timezone.now, help_text="Its last progress.")

    def __str__(self) -> str:
        return f"Isolation test of {self.cluster}"

    @property
    def is_running(self) -> bool:
        """Whether it has no result yet."""
        return self.state == IsolationTestState.RUNNING

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return self.state == IsolationTestState.OVER

    @property
    def is_silent(self) -> bool:
        """Whether it has made no progress for a minute."""
        return not self.is_over and self.at < timezone.now() - SILENCE
