"""The portal's certificate authorities as a file, for libraries in C that read no memory (libpq)."""

import atexit
import os
import shutil
import tempfile
import threading
from pathlib import Path

from django.conf import settings

from environments.lib import tls

_lock = threading.Lock()
_folders: dict[int, Path] = {}  # by process: a forked one must not remove its parent's


def authorities() -> Path:
    """A file with the system's authorities and CA_BUNDLE, written again if a cleaner removed it."""
    with _lock:
        path = _folder() / "authorities.pem"
        if not path.exists():
            _write(path, tls.system_authorities() + "\n" + settings.CA_BUNDLE)
        return path


def forget() -> None:
    """Write anew next time, with what CA_BUNDLE then is."""
    with _lock:
        if folder := _folders.pop(os.getpid(), None):
            shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    """A folder of this process that only its owner can read."""
    found = _folders.get(os.getpid())
    if found is None or not found.exists():
        found = _folders[os.getpid()] = Path(tempfile.mkdtemp(prefix="allotment-"))
        atexit.register(_remove, os.getpid(), found)
    return found


def _write(path: Path, text: str) -> None:
    """Whole or not at all: another thread of a library may read it."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _remove(process: int, folder: Path) -> None:
    if process == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)
