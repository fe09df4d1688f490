"""docs/security.md names tests that exist, and this folder has no test file that it does not name."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTES = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py(?:::\w+)+)`", NOTES)


def named_in(path: Path) -> set[str]:
    """The tests of a file: `test_x`, `TestY::test_x`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


def test_every_test_that_is_named_is_there():
    assert len(NAMED) > 40
    missing = []
    for name in NAMED:
        path, _, test = name.partition("::")
        if not (ROOT / path).exists() or test not in named_in(ROOT / path):
            missing.append(name)
    assert missing == []


def test_every_threat_has_its_test():
    threats = NOTES.partition("\n## Threats\n")[2].partition("\n## ")[0]
    rows = [line for line in threats.splitlines() if line.startswith("| ") and not line.startswith("| Threat")]
    assert len(rows) > 25
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 3, row
        assert cells[2].startswith("`tests/"), row


def test_every_file_of_these_tests_is_named():
    named = {name.partition("::")[0] for name in NAMED}
    files = {f"tests/security/{path.name}" for path in Path(__file__).parent.glob("test_*.py")}
    assert files - named == {"tests/security/test_notes.py"}
