"""The JSON Schema of template files, for editors. Source: https://json-schema.org/draft/2020-12"""

import json

from environments.catalog.files.content import TemplateFile

SCHEMA_NAME = "template.schema.json"


def json_schema() -> str:
    """The schema, made from the classes that check the files; names and texts are those of the code."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | TemplateFile.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
