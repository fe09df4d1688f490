"""`python -m portal.demo`: start the portal and everything that it needs on this machine."""

import argparse
import os
import sys
import threading
from pathlib import Path

from portal.demo.options import Options
from portal.demo.stack import Stack

PATIENCE = 15.0  # seconds to end everything in order


def main() -> int:
    """Start the demo and run until Ctrl-C. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DATA") or ".demo"))
    parser.add_argument("--kubeconfig", type=Path)
    parser.add_argument("--control-plane", action="store_true", help="start a real control plane on loopback")
    arguments = parser.parse_args()
    options = Options(arguments.port, arguments.data.resolve(), arguments.kubeconfig, arguments.control_plane)
    stack, code = Stack(options), 1
    try:
        code = _run(stack)
    finally:
        last = threading.Timer(PATIENCE, os._exit, (code,))
        last.daemon = True
        last.start()
        stack.stop()
        last.cancel()
    return code


def _run(stack: Stack) -> int:
    """Start the demo and wait for its end. Returns the exit code."""
    try:
        stack.start()
        stack.say_hello()
        stack.wait()
    except KeyboardInterrupt:
        return 0
    except (RuntimeError, OSError) as error:
        sys.stderr.write(f"The demo could not start: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a normal exit would wait for the threads of unfinished tasks
