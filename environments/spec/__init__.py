"""What a template says, as data: parameters, sizes, limits, isolation, roles, lifetime.

`TemplateSpec` is the one description of a template version. The database stores it as JSON, the seeds and
imports write it as YAML, the request form and the manifests are built from it.
"""

from environments.spec.base import InvalidSpecError, Place, Problem, Strict, substitute
from environments.spec.network import Network
from environments.spec.parameters import Kind, Mode, Parameter
from environments.spec.parts import Extension, Limits, Naming, PodSecurity, Size
from environments.spec.template import TemplateSpec, dump, parse, parse_stored, parse_text, render_quota

__all__ = [
    "Extension",
    "InvalidSpecError",
    "Kind",
    "Limits",
    "Mode",
    "Naming",
    "Network",
    "Parameter",
    "Place",
    "PodSecurity",
    "Problem",
    "Size",
    "Strict",
    "TemplateSpec",
    "dump",
    "parse",
    "parse_stored",
    "parse_text",
    "render_quota",
    "substitute",
]
