"""Form fields for rows of the database, which take no id that a database refuses to look for.

Django's own catch a text where a number is due. A number that no column can hold is an error of the database.
"""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

if TYPE_CHECKING:
    _One = forms.ModelChoiceField[Any]
    _Several = forms.ModelMultipleChoiceField[Any]
else:  # Django's own classes cannot be subscripted
    _One, _Several = forms.ModelChoiceField, forms.ModelMultipleChoiceField


def is_id(rows: Any, value: Any) -> bool:
    """Whether a value may be the primary key of one of the rows: a model, or a query set of it."""
    field = getattr(rows, "model", rows)._meta.pk
    try:
        field.run_validators(field.to_python(value))
    except ValidationError:
        return False
    return True


class RowField(_One):
    """One row."""

    def to_python(self, value: Any) -> Any:
        """Raises ValidationError where it is no row of the query set."""
        by_key = (self.to_field_name or "pk") == "pk" and not isinstance(value, models.Model)
        if by_key and value not in self.empty_values and not is_id(self.queryset, value):
            raise ValidationError(self.error_messages["invalid_choice"], "invalid_choice", {"value": value})
        return super().to_python(value)


class RowsField(_Several):
    """Several rows."""

    def _check_values(self, value: Any) -> Any:
        """Raises ValidationError where one of them is no row of the query set."""
        for each in value:
            if not is_id(self.queryset, each):
                raise ValidationError(self.error_messages["invalid_pk_value"], "invalid_pk_value", {"pk": each})
        return super()._check_values(value)  # type: ignore[misc]  # the stubs lack it
