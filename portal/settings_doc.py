"""docs/settings.md, generated from the table in portal/env.py by `make settings`. A test checks that it is current."""

from portal.env import GROUPS
from portal.env_providers import FURTHER
from portal.setting import Setting

_KINDS = {
    "str": "text",
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
    "list": "list, comma-separated",
    "networks": "networks, comma-separated",
    "ids": "ids, comma-separated",
    "folder": "folder, created if missing",
    "db_url": "database URL",
    "email_url": "mail URL",
}

_INTRODUCTION = """\
# Settings

`make settings` generates this page from `portal/env.py`. Do not edit it.

Settings are environment variables. Instead of `X` you can set `X_FILE` to the path of a file that holds the value, for
example a mounted secret; the portal ignores line breaks at its end. With an invalid value, the process prints a
sentence at its start and exits with code 3. `manage.py check --deploy` lists values that are unsafe or contradict each
other.

No message, log or page quotes a setting marked **secret**. Provide these settings as files or from a secret store."""


_FURTHER = """\
## Further identity providers

Each id in `OIDC_PROVIDERS` has these settings, with the id in upper case and `_` for `-` in the place of `<ID>`: for
`OIDC_PROVIDERS=new-tenant`, the issuer is `OIDC_NEW_TENANT_ISSUER`. Register the redirect URI
`<PORTAL_URL>/accounts/oidc/<id>/login/callback/` there. [Identity providers](identity-providers.md) says what several
providers mean for people, roles and teams.

"""


def markdown() -> str:
    """Return the whole document."""
    groups = [f"## {title}\n\n{_table(settings)}" for title, settings in GROUPS.items()]
    return "\n\n".join([_INTRODUCTION, *groups, _FURTHER + _table(FURTHER)]) + "\n"


def _table(settings: tuple[Setting, ...]) -> str:
    head = ["| Setting | What it is for | Value | Default |", "|---|---|---|---|"]
    return "\n".join(head + [_line(setting) for setting in settings])


def _line(setting: Setting) -> str:
    return f"| `{setting.name}` | {_for(setting)} | {_value(setting)} | {_default(setting)} |".replace("\n", " ")


def _for(setting: Setting) -> str:
    words = setting.help.replace("|", "\\|")
    words += " **Secret.**" if setting.secret else ""
    return words if setting.has_file else f"{words} Cannot be read from a file."


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
