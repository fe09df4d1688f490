"""The table of settings is whole, is what the documents say, and is all that the code reads."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal import env, settings_doc

ROOT = Path(__file__).resolve().parent.parent.parent
#: What names a program's own surroundings rather than a setting of the portal.
SURROUNDINGS = {"DJANGO_SETTINGS_MODULE", "KUBEBUILDER_ASSETS", "PORT", "PORT_SHARE", "DATA"}
SECRETIVE = ("SECRET", "TOKEN", "PASSWORD", "_KEY", "SALT")


def sources() -> Iterator[ast.AST]:
    for folder in ("portal", "environments"):
        for path in (ROOT / folder).rglob("*.py"):
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def called(node: ast.AST) -> tuple[str, str]:
    """The function and the first argument of a call, where that is a text."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        return ast.unparse(node.func), str(node.args[0].value)
    return "", ""


def test_the_document_is_current():
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert text == settings_doc.markdown(), "make settings writes it anew"


def test_every_setting_that_is_read_is_in_the_table_and_every_line_of_the_table_is_read():
    names = {setting.name for setting in env.TABLE}
    read = {name for function, name in map(called, sources()) if function in ("read", "env.read")}
    assert read == names
    assert len(names) == len(env.TABLE)


def test_nothing_reads_the_environment_past_the_table():
    calls = [called(node) for node in sources()]
    assert len(calls) > 1000
    for function, name in calls:
        if function in ("os.environ.get", "os.getenv", "os.environ.setdefault"):
            assert name in SURROUNDINGS | {setting.name for setting in env.TABLE}, name


@pytest.mark.parametrize("setting", env.TABLE, ids=lambda setting: setting.name)
def test_every_line_is_whole(setting):
    assert setting.help.endswith("."), "a sentence"
    if setting.kind in ("int", "float"):
        assert setting.least is not None, "the least that it may be"
        assert setting.most is not None, "the most that it may be"
        assert setting.least <= setting.default <= setting.most
    if any(part in setting.name for part in SECRETIVE) or setting.kind.endswith("_url"):
        assert setting.secret
