"""What the API server itself refuses (ValidatingAdmissionPolicies), and whether a cluster has been told to."""

from environments.kube.admission.attempts import not_refused
from environments.kube.admission.policies import CONTROLLERS, LABEL_DOMAIN, POLICIES, PORTAL, documents, not_exempt
from environments.kube.admission.standing import Standing, standing
from environments.lib.phases import AdmissionState as State

__all__ = [
    "CONTROLLERS",
    "LABEL_DOMAIN",
    "POLICIES",
    "PORTAL",
    "Standing",
    "State",
    "documents",
    "not_exempt",
    "not_refused",
    "standing",
]
