"""`make faults`: runs by seed, each in a process of its own; a report, printed and written."""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults import report
from tests.services import REDIS


def main() -> None:
    options = _parser().parse_args()
    if not REDIS:
        sys.exit("redis-server is not installed (Debian's package of that name).")
    seeds = options.seed or [random.randrange(10**6)]
    results = [_run(seed, options) for seed in seeds]
    sys.stdout.write(report.text(results))
    if options.write:
        report.write(results)
    sys.exit(any(result["violations"] for result in results))


def _run(seed: int, options: argparse.Namespace) -> dict[str, object]:
    """One run. A run that breaks off is a violation too."""
    names = ("minutes", "environments", "simulated", "directory", "verbose")
    arguments = {name: getattr(options, name) for name in names} | {"seed": seed}
    if options.directory == "both":
        arguments["directory"] = ("canaille", "scim2-server")[seed % 2]
    arguments["keep"] = str(options.keep / str(seed)) if options.keep else ""
    sys.stderr.write(f"seed {seed}: {options.minutes} min, {options.environments} environments\n")
    with tempfile.TemporaryDirectory(prefix="faults-result-") as folder:
        file = Path(folder) / "result.json"
        command = [sys.executable, "-m", "tests.faults.run", json.dumps(arguments), str(file)]
        ended = subprocess.run(command, check=False, timeout=options.minutes * 60 + 600)
        if ended.returncode:
            sys.exit(f"seed {seed}: the run broke off ({ended.returncode})")
        return dict(json.loads(file.read_text()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="may be given several times (default: a random one)")
    parser.add_argument("--minutes", type=float, default=2.0, help="of faults, in each run (default: %(default)s)")
    parser.add_argument("--environments", type=int, default=40, help="requested in each run (default: %(default)s)")
    parser.add_argument(
        "--directory", choices=("scim2-server", "canaille", "both"), default="both", help="both: odd seeds, even seeds"
    )
    parser.add_argument("--simulated", action="store_true", help="the simulated cluster, whatever there is")
    parser.add_argument("--keep", type=Path, help="folder for logs and data")
    parser.add_argument("--verbose", action="store_true", help="say each fault")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/faults.md and faults.json")
    return parser


if __name__ == "__main__":
    main()
