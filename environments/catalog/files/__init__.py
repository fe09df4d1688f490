"""Templates as files: YAML documents that say what a template is called, who may have it and what it gives.

`reading` finds every mistake with its line, `importing` makes the record say the same, `writing` is the way back
and has the schema for editors. The format: docs/templates.md.
"""

from environments.catalog.files.content import Card, TemplateFile, stored
from environments.catalog.files.importing import Options, Outcome, import_documents
from environments.catalog.files.mistakes import InvalidFilesError, Mistake
from environments.catalog.files.reading import Document, read, read_all
from environments.catalog.files.writing import SCHEMA_NAME, as_text, json_schema

__all__ = [
    "SCHEMA_NAME",
    "Card",
    "Document",
    "InvalidFilesError",
    "Mistake",
    "Options",
    "Outcome",
    "TemplateFile",
    "as_text",
    "import_documents",
    "json_schema",
    "read",
    "read_all",
    "stored",
]
