"""A template's content as tables to fill in, and back: form -> TemplateSpec -> form loses and invents nothing.

Rows are Django formsets with a few blank ones at the end, so that everything works without scripts. The quota is a
matrix: a row for each resource, a column for all sizes and one for each size. A column belongs to a *row* of the
sizes' table, not to a name, so that a size can be renamed while its figures are on the page.

What is wrong is found by TemplateSpec alone; here each sentence is put into the cell it concerns.
"""

from environments.catalog.forms.page import SpecForms
from environments.catalog.forms.tables import BLANK_ROWS, MAX_ROWS, with_more_rows

__all__ = ["BLANK_ROWS", "MAX_ROWS", "SpecForms", "with_more_rows"]
