"""What the API server itself refuses (ValidatingAdmissionPolicies), and whether a cluster has been told to."""

from environments.admission.looking import EVERY, due, keep, kept, look
from environments.admission.policies import CONTROLLERS, LABEL_DOMAIN, POLICIES, PORTAL, documents, not_exempt
from environments.admission.standing import Standing, State, standing

__all__ = [
    "CONTROLLERS",
    "EVERY",
    "LABEL_DOMAIN",
    "POLICIES",
    "PORTAL",
    "Standing",
    "State",
    "documents",
    "due",
    "keep",
    "kept",
    "look",
    "not_exempt",
    "standing",
]
