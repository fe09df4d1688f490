"""What environments used and reserved over time: hours for charts, days and months for reports, rates for costs.

Times are UTC. Every figure is an integer, so that a sum is the same on every database and in every export.
"""

from django.core.validators import MinValueValidator
from django.db import models

from environments.models.clusters import Cluster
from environments.models.environments import Environment


class Span(models.TextChoices):
    """How much time a row of `Usage` covers."""

    HOUR = "hour", "Hour"
    DAY = "day", "Day"


class Usage(models.Model):
    """One hour or one day of an environment's quota, every resource of it.

    `figures` is resource -> [used, peak, hard]: `used` and `hard` are sums of amount × seconds over the observed
    seconds, `peak` is an amount. An amount is in thousandths of a core for CPU and in whole units (bytes, objects)
    for the rest. What was not observed is in no sum: a gap stays a gap.
    """

    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, related_name="usage_spans", db_index=False
    )  # the constraint's index begins with it
    span = models.CharField(max_length=4, choices=Span)
    start = models.DateTimeField()
    seconds = models.PositiveIntegerField(help_text="How many seconds of the span were observed.")
    figures = models.JSONField(default=dict)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["environment", "span", "start"], name="one_usage_per_span"),)
        indexes = (models.Index(fields=["span", "start"]),)

    def __str__(self) -> str:
        return f"{self.environment_id} {self.span} {self.start:%Y-%m-%d %H:%M}"


class Consumption(models.Model):
    """One day, week or month of what an environment had reserved and used of the resources that cost money.

    CPU is in millicore-seconds, memory and storage in MiB-seconds, GPUs in GPU-seconds; peaks are in millicores,
    MiB and GPUs. A week, which begins on a Monday, and a month are the sums of their days (peaks: their greatest).
    """

    class Span(models.TextChoices):
        DAY = "day", "Day"
        WEEK = "week", "Week"
        MONTH = "month", "Month"

    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, related_name="consumption", db_index=False
    )  # the constraint's index begins with it
    span = models.CharField(max_length=5, choices=Span)
    start = models.DateField()
    seconds = models.BigIntegerField(help_text="How many seconds of the span were observed.")
    cpu_reserved = models.BigIntegerField(default=0)
    cpu_used = models.BigIntegerField(default=0)
    cpu_peak = models.BigIntegerField(default=0)
    memory_reserved = models.BigIntegerField(default=0)
    memory_used = models.BigIntegerField(default=0)
    memory_peak = models.BigIntegerField(default=0)
    storage_reserved = models.BigIntegerField(default=0)
    storage_used = models.BigIntegerField(default=0)
    storage_peak = models.BigIntegerField(default=0)
    gpu_reserved = models.BigIntegerField(default=0)
    gpu_used = models.BigIntegerField(default=0)
    gpu_peak = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["environment", "span", "start"], name="one_consumption_per_span"),
        )
        indexes = (models.Index(fields=["span", "start"]),)

    def __str__(self) -> str:
        return f"{self.environment_id} {self.span} {self.start}"


class Rate(models.Model):
    """What a cluster's resources cost from a day on, until its next rate begins."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="rates")
    starts_on = models.DateField("first day", help_text="Valid from this day (UTC).")
    cpu_hour = models.DecimalField(
        "per core and hour", max_digits=12, decimal_places=6, default=0, validators=[MinValueValidator(0)]
    )
    memory_hour = models.DecimalField(
        "per GiB of memory and hour", max_digits=12, decimal_places=6, default=0, validators=[MinValueValidator(0)]
    )
    storage_hour = models.DecimalField(
        "per GiB of storage and hour", max_digits=12, decimal_places=6, default=0, validators=[MinValueValidator(0)]
    )
    gpu_hour = models.DecimalField(
        "per GPU and hour", max_digits=12, decimal_places=6, default=0, validators=[MinValueValidator(0)]
    )

    class Meta:
        ordering = ("cluster", "-starts_on")
        constraints = (models.UniqueConstraint(fields=["cluster", "starts_on"], name="one_rate_per_day"),)

    def __str__(self) -> str:
        return f"{self.cluster} from {self.starts_on}"
