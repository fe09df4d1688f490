"""From documents to YAML that people like to read, and the JSON Schema that tells editors what may be in it.

The same content is always the same text. Schemas: https://json-schema.org/draft/2020-12
"""

import json
import re
from typing import Any

import yaml

from environments.catalog.files.content import TemplateFile
from environments.spec.figures import ordered

SCHEMA_NAME = "template.schema.json"
_WIDTH = 120
#: What YAML 1.2 takes for a number though PyYAML's YAML 1.1 does not: `1e3`, `0o7`.
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")
#: Line breaks besides \n: only in quotes do they come back as they were.
_ODD_BREAK = re.compile("[\r\x85\u2028\u2029]")
_TEXT = "tag:yaml.org,2002:str"


def as_text(document: TemplateFile, schema: str = SCHEMA_NAME) -> str:
    """A document as YAML, defaults left out. The first line tells editors where the schema is."""
    return f"# yaml-language-server: $schema={schema}\n{dumped(as_data(document))}"


def as_data(document: TemplateFile) -> dict[str, Any]:
    """A document as plain data without defaults, figures in a fixed order (some databases keep none)."""
    content = document.model_copy(update={"template": document.template.ordered()})
    data: dict[str, Any] = ordered(content.model_dump(mode="json", exclude_defaults=True))
    return data


def dumped(data: Any) -> str:
    """Plain data as YAML in block style."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


def json_schema() -> str:
    """The schema, made from the classes that check the files; names and texts are those of the code."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | TemplateFile.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


class _Dumper(yaml.SafeDumper):
    """Lists indented, short lists of words on one line, long texts as blocks, numbers that are texts in quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        """Everything is written out."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists stand to the right of what they belong to."""
        super().increase_indent(flow, False)

    def text(self, data: str) -> yaml.Node:
        """A text in the style that suits it."""
        if _ODD_BREAK.search(data):
            return self.represent_scalar(_TEXT, data, style='"')
        if "\n" in data and not data[0].isspace():
            # Every text of the format is stripped when it is read: the last line may end as lines do.
            return self.represent_scalar(_TEXT, f"{data}\n", style="|")
        resolved: str = self.resolve(yaml.ScalarNode, data, (True, False))  # type: ignore[no-untyped-call]
        plain = resolved == _TEXT and not _NUMBER.fullmatch(data)
        return self.represent_scalar(_TEXT, data, style=None if plain else '"')

    def items(self, data: list[Any]) -> yaml.Node:
        """A list; on one line where it is of words."""
        words = all(not isinstance(item, dict | list) and "\n" not in str(item) for item in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=words)


_Dumper.add_representer(str, _Dumper.text)
_Dumper.add_representer(list, _Dumper.items)
