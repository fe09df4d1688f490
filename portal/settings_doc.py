"""docs/settings.md, made from the table in portal/env.py. `make settings` writes it; a test holds it to the table."""

from portal.env import GROUPS
from portal.setting import Setting

_KINDS = {
    "str": "text",
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
    "list": "list, comma-separated",
    "networks": "networks, comma-separated",
    "folder": "folder, made where it is missing",
    "db_url": "database URL",
    "email_url": "mail URL",
}

_INTRODUCTION = """\
# Settings

Made from `portal/env.py` by `make settings`; do not edit.

Settings come from environment variables. Instead of `X`, `X_FILE` may name a file that holds the value, as mounted
secrets do; line breaks at its end are left out. A value that cannot be used ends the process at its start with a
sentence, exit code 3. `manage.py check --deploy` names what is unsafe or contradictory.

Settings marked **secret** are quoted in no message, log or page: give them as files or from a secret store."""


def markdown() -> str:
    """The whole document."""
    groups = [f"## {title}\n\n{_table(settings)}" for title, settings in GROUPS.items()]
    return "\n\n".join([_INTRODUCTION, *groups]) + "\n"


def _table(settings: tuple[Setting, ...]) -> str:
    head = ["| Setting | What it is for | Value | Default |", "|---|---|---|---|"]
    return "\n".join(head + [_line(setting) for setting in settings])


def _line(setting: Setting) -> str:
    return f"| `{setting.name}` | {_for(setting)} | {_value(setting)} | {_default(setting)} |".replace("\n", " ")


def _for(setting: Setting) -> str:
    words = setting.help.replace("|", "\\|")
    words += " **Secret.**" if setting.secret else ""
    return words if setting.has_file else f"{words} Not from a file."


def _value(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(f"`{word}`" if word else "empty" for word in setting.choices)
    return f"{_KINDS[setting.kind]} {setting.range}".strip()


def _default(setting: Setting) -> str:
    default = setting.default
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, list):
        default = ", ".join(default)
    if isinstance(default, float):
        default = f"{default:.12g}"
    return "" if default == "" else f"`{default}`"
