"""Settings of the work in the background, of usage, and of logs and metrics. portal/env.py has the whole table."""

from portal.setting import Setting

_DAY = 24 * 3600.0

RUNNING: dict[str, tuple[Setting, ...]] = {
    "Work": (
        Setting(
            "RECONCILE_WORKERS",
            "int",
            4,
            "How many independent steps of one environment run at the same time.",
            least=1,
            most=32,
        ),
        Setting(
            "LEASE_SECONDS",
            "int",
            15,
            "Seconds before another worker can take over an environment from a worker that stopped responding. A "
            "worker renews its hold four times in that time, so API calls may last longer.",
            least=1,
            most=3600,
        ),
        Setting(
            "SWEEP_SECONDS",
            "float",
            10.0,
            "Seconds between two sweeps, which enqueue all pending work.",
            least=0.1,
            most=3600,
        ),
        Setting(
            "OBSERVE_SECONDS", "float", 120.0, "Seconds between two reads of each cluster's quotas.", least=1, most=_DAY
        ),
        Setting(
            "RESYNC_SECONDS",
            "float",
            6 * 3600.0,
            "Seconds between two checks of an environment that needs no work.",
            least=60,
            most=30 * _DAY,
        ),
        Setting(
            "ISOLATION_TEST_IMAGE",
            "str",
            "docker.io/library/busybox:1.36.1@sha256:73aaf090f3d85aa34ee199857f03fa3a95c8ede2ffd4cc2cdb5b94e566b11662",
            "The image of the pods that test whether a cluster's network isolates. It needs `sh`, `nc`, `nslookup`, "
            "`sed` and `timeout`, as in BusyBox, and must run as any user.",
        ),
        Setting(
            "DEPARTED_DAYS",
            "int",
            0,
            "Owners count as departed after this many days without a sign-in. 0 turns this off.",
            least=0,
            most=3650,
        ),
        Setting(
            "ALIVE_FILE",
            "str",
            "",
            "Worker and beat touch this file while they run, for a liveness probe. Give each its own.",
        ),
    ),
    "Usage": (
        Setting(
            "USAGE_HOURLY_DAYS",
            "int",
            9,
            "How many days to keep hourly usage, which the charts for a day and a week show. "
            "With 10,000 environments, one day takes about 280 MB in PostgreSQL.",
            least=8,
            most=60,
        ),
        Setting(
            "USAGE_DAILY_DAYS",
            "int",
            400,
            "How many days to keep daily usage, which the charts for 30 and 90 days show.",
            least=92,
            most=3650,
        ),
        Setting(
            "CONSUMPTION_DAILY_DAYS",
            "int",
            800,
            "How many days to keep daily and weekly consumption, which reports add up and compare with the previous "
            "period.",
            least=92,
            most=7320,
        ),
        Setting(
            "CONSUMPTION_MONTHLY_DAYS",
            "int",
            3660,
            "How many days to keep monthly consumption.",
            least=400,
            most=36600,
        ),
    ),
    "Logs and metrics": (
        Setting(
            "LOG_LEVEL",
            "str",
            "INFO",
            "The least severe level that is logged.",
            choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        ),
        Setting(
            "LOG_FORMAT",
            "str",
            "",
            "`json`: one object per line, for collectors. `text`: for people. Empty: `text` with DEBUG, else `json`.",
            choices=("", "json", "text"),
        ),
        Setting(
            "METRICS_TOKEN",
            "str",
            "",
            "The bearer token for /metrics. Empty turns /metrics off (404).",
            secret=True,
        ),
        Setting(
            "METRICS_WORKER_PORT",
            "int",
            0,
            "The port where a Celery worker serves its own metrics, with the same token. 0 turns it off.",
            least=0,
            most=65535,
        ),
        Setting(
            "PROMETHEUS_MULTIPROC_DIR",
            "folder",
            "",
            "A folder where this container's processes share their metrics: used by no other container, and empty at "
            "the start. Needed if more than one process serves pages or runs tasks.",
            has_file=False,
        ),
    ),
}
