"""docs/benchmarks.md shows the figures of docs/benchmarks.json and no others."""

import json

from tests.bench import document, tables


def test_the_tables_in_the_document_are_those_of_the_figures():
    text, report = document.PAGE.read_text(), json.loads(document.FIGURES.read_text())
    assert document.rendered(text, report) == text
    assert "<!-- pages -->" in text


def test_a_median_above_its_target_stands_out():
    row = {"kind": "list", "page": "environments", "role": "admin", "median_ms": 71.4, "p95_ms": 80.0, "queries": 9}
    small = {"database": "sqlite", "environments": 100, "rows": [row | {"median_ms": 20.0}]}
    large = {"database": "sqlite", "environments": 900, "rows": [row, row | {"role": "manager", "median_ms": 49.6}]}
    line = tables._pages_of(small, large)[-1]
    assert line == "| environments |  | 50 (80) | **71** (80) | 9 | 9 |"


def test_what_was_not_measured_says_so():
    text = "<!-- load -->\nold\n<!-- /load -->"
    assert "Not measured yet." in document.rendered(text, {"sections": {}, "machine": {}})
