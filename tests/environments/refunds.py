"""What is desired for one environment, as the builders of manifests are told."""

from environments import spec
from environments.kube.manifests import Desired

SPEC = spec.parse(
    {
        "parameters": [{"name": "cpu", "default": "1"}],
        "sizes": [{"name": "small", "quota": {"pods": "5"}}],
        "quota": {"requests.cpu": "${cpu}"},
        "limits": {"default": {"cpu": "100m"}, "default_request": {"cpu": "${cpu}"}},
    }
)
DESIRED = Desired(
    environment_id="0b5e",
    name="Checkout refunds",
    namespace="dana-checkout-abcde",
    owner="dana@example.com",
    template="namespace",
    spec=SPEC,
    label_domain="example.org",
    size="small",
    team="Team Checkout",
    parameters=(("cpu", "2"),),
)
LABELS = {
    "app.kubernetes.io/managed-by": "allotment",
    "example.org/environment": "0b5e",
    "example.org/template": "namespace",
    "example.org/team": "Team_Checkout",
}
