"""JSON from elsewhere: what looks harmless is taken as it is, and that is what a thorough cleaning would give too."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.lib import bounds

_TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES, st.booleans())
def test_the_short_way_gives_what_the_long_way_gives(value, escaped):
    content = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert bounds.json_value(content) == bounds._clean(json.loads(content), bounds._DEPTH)


@given(_VALUES, st.sampled_from(["utf-16-le", "utf-16-be", "utf-32"]))
def test_other_encodings_hide_nothing(value, encoding):
    content = json.dumps(value).encode(encoding)
    assert bounds.json_value(content) == bounds._clean(value, bounds._DEPTH)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_what_is_nested_without_end_is_refused(opening):
    closing = "]" if opening == "[" else "}"
    for depth, fits in ((90, True), (120, False), (100_000, False)):
        content = (opening * depth + "1" + closing * depth).encode()
        if fits:
            assert bounds.json_value(content) == json.loads(content)
        else:
            with pytest.raises(ValueError, match="nested too deeply"):
                bounds.json_value(content)
