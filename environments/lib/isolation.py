"""Whether a cluster's network isolates: the results of a test, each with its sentence."""

from django.db.models import TextChoices


class Isolation(TextChoices):
    """What the network of a cluster does with NetworkPolicies, as a test found."""

    ENFORCED = "enforced", "enforced"
    NONE = "none", "not enforced"
    INGRESS_ONLY = "ingress", "enforced for incoming traffic only"
    EGRESS_ONLY = "egress", "enforced for outgoing traffic only"
    DNS_CLOSED = "no_dns", "enforced, but DNS is blocked"
    DNS_OPEN = "dns_open", "enforced, except for DNS"
    INCONCLUSIVE = "unclear", "inconclusive"


#: Environments there are not isolated, whatever their policies say.
NOT_ISOLATING = (Isolation.NONE, Isolation.INGRESS_ONLY, Isolation.EGRESS_ONLY)

TONES = {Isolation.ENFORCED: "ok", Isolation.DNS_CLOSED: "warn", Isolation.DNS_OPEN: "warn"} | dict.fromkeys(
    NOT_ISOLATING, "bad"
)

SENTENCES = {
    Isolation.ENFORCED: "The network blocked what the policies deny, in both directions, and let DNS through where a "
    "policy allows it.",
    Isolation.NONE: "The network let everything through that the policies deny. Environments on this cluster are not "
    "isolated.",
    Isolation.INGRESS_ONLY: "The network blocked incoming traffic, but let outgoing traffic through that a policy "
    "denies. Environments on this cluster are not isolated.",
    Isolation.EGRESS_ONLY: "The network blocked outgoing traffic, but let incoming traffic through that a policy "
    "denies. Environments on this cluster are not isolated.",
    Isolation.DNS_CLOSED: "The network blocked what the policies deny, but pods could not reach DNS although a policy "
    "allows it. Check the DNS namespace and the DNS port on this page. A DNS cache on each node can also be the cause.",
    Isolation.DNS_OPEN: "The network blocked traffic between pods, but pods reached DNS although no policy allows it. "
    "A DNS cache on each node can be the cause. Templates without DNS do not keep their pods from it here.",
}

#: What people should know who have an environment there, or request one.
WARNINGS = {
    Isolation.NONE: "The network of {cluster} does not enforce network policies: pods of others can reach yours.",
    Isolation.INGRESS_ONLY: "The network of {cluster} enforces network policies for incoming traffic only: your pods "
    "can reach those of others.",
    Isolation.EGRESS_ONLY: "The network of {cluster} enforces network policies for outgoing traffic only: pods of "
    "others can reach yours.",
}
