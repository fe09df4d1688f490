"""Warnings of an API server are read from its headers, each once, and only where somebody asks for them."""

import pytest

from environments.kube import api_warnings
from environments.kube.api_warnings import ApiWarning

DEPRECATED = "policy/v1beta1 PodSecurityPolicy is deprecated"
PATH = "/apis/apps/v1/namespaces/shop/deployments/web"


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        (f'299 - "{DEPRECATED}"', [DEPRECATED]),
        ('299 - "one, two", 299 kube "three"', ["one, two", "three"]),
        (r'299 - "would violate \"restricted:latest\": a \\ b"', ['would violate "restricted:latest": a \\ b']),
        ("nonsense", []),
        ('299 - "open', []),
        (f'299 - "{"x" * 5000}"', ["x" * 400]),
    ],
)  # fmt: skip
def test_a_header_is_read(header, texts):
    with api_warnings.hearing() as found:
        api_warnings.note(PATH, [header])
    assert found == [ApiWarning("deployments/web", text) for text in texts]


def test_a_warning_is_kept_once_and_a_flood_has_an_end():
    with api_warnings.hearing() as found:
        api_warnings.note(PATH, [f'299 - "{DEPRECATED}"'] * 3)
        assert len(found) == 1
        api_warnings.note(PATH, [f'299 - "{number}"' for number in range(100)])
    assert len(found) == 20
    api_warnings.note(PATH, [f'299 - "{DEPRECATED}"'])  # nobody hears
    assert api_warnings.heard() == []


@pytest.mark.parametrize(
    ("text", "level"), [('would violate PodSecurity "restricted:latest": x', "restricted"), (DEPRECATED, "")]
)
def test_a_warning_of_pod_security_names_its_level(text, level):
    assert ApiWarning("deployments/web", text).level == level
