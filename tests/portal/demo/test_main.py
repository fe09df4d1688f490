"""The demo's end, where a part of it does not end by itself: the exit code tells how it went all the same."""

import subprocess
import sys

import pytest

_DEMO = """
import sys, threading
from portal.demo import __main__ as demo

class Stuck(demo.Stack):
    def start(self): {start}
    def say_hello(self): pass
    def wait(self): pass
    def stop(self): threading.Event().wait()

demo.Stack, demo.PATIENCE = Stuck, 0.1
sys.argv = ["demo", "--data", sys.argv[1]]
demo.main()
sys.exit("nothing ended it")
"""


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ("pass", 0),
        ("raise KeyboardInterrupt", 0),
        ("raise RuntimeError('no port is free')", 1),
        ("raise LookupError('unforeseen')", 1),
    ],
)
def test_what_is_cut_off_in_the_end_has_the_exit_code_of_the_run(start, code, tmp_path):
    program = _DEMO.format(start=start)
    run = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, timeout=60)
    assert "nothing ended it" not in run.stderr
    assert run.returncode == code, run.stderr
    assert ("no port is free" in run.stderr) == ("no port is free" in start)
