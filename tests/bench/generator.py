"""Fill a database with a company's year: `python -m tests.bench.generator --environments 10000 --days 365`.

It goes into the database of the current settings (DATABASE_URL), which must hold no environments yet. The same seed
gives the same rows, but for the day on which it is done.
"""

import argparse
import os
import sys
import time
from datetime import datetime
from random import Random

_EACH = 5  # environments of one person, and a few people have none


def generate(environments: int = 10_000, days: int = 365, seed: int = 1, now: datetime | None = None) -> None:
    """A company with so many environments at any time, and so many days of usage up to `now`.

    A quarter more were deleted within that time. Raises ValueError where there are environments already.
    """
    from environments.models import Environment
    from tests.bench import bulk

    if Environment.objects.exists():
        raise ValueError("There are environments in this database already.")
    with bulk.transaction_of_its_own():
        fill(environments, days, seed, now)
    bulk.settle()


def fill(environments: int, days: int, seed: int = 1, now: datetime | None = None) -> None:
    """The same in the caller's transaction."""
    from django.utils import timezone

    from tests.bench import company, grants, population, year

    random, moment = Random(seed), now or timezone.now()
    firm = company.found(random, days, developers=environments // _EACH + 2 * company.TEAMS)
    rhythm = grants.Rhythm(random)
    accounts = population.populate(random, firm, rhythm, environments, days, moment)
    year.Writer(rhythm, accounts, moment).write(days)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=int, default=10_000, help="At any time of the year.")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    start = time.monotonic()
    generate(options.environments, options.days, options.seed)
    sys.stdout.write(f"{options.environments} environments, {options.days} days: {time.monotonic() - start:.0f} s\n")


if __name__ == "__main__":
    main()
