"""One section in a process of its own: `python -m tests.bench.section NAME OUT.json`.

A section is a module with `measure(folder)`; it finds Django set up, and an empty SQLite file at DATABASE_URL.
"""

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

_OWN_SETTINGS = ("load", "recovery", "versus")  # they start their databases first


def main() -> None:
    name, out = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ |= {
            "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "LOG_LEVEL": "ERROR",
        }
        if name not in _OWN_SETTINGS:
            import django

            django.setup()
        result = importlib.import_module(f"tests.bench.{name}").measure(Path(folder))
    Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
