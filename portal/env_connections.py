"""Settings of what the portal connects to, and how. portal/env.py has the whole table."""

from portal.setting import Setting

CONNECTIONS: dict[str, tuple[Setting, ...]] = {
    "Where the portal connects to": (
        Setting(
            "DENIED_NETWORKS",
            "networks",
            [
                "0.0.0.0/8",
                "169.254.0.0/16",
                "100.100.100.200/32",
                "168.63.129.16/32",
                "192.0.0.192/32",
                "224.0.0.0/4",
                "255.255.255.255/32",
                "::/128",
                "fe80::/10",
                "fd00:ec2::254/128",
                "fd20:ce::254/128",
                "ff00::/8",
            ],
            "Networks that the portal never connects to, even if the address of a cluster or directory is in one: "
            "link-local addresses and the clouds' metadata services. "
            "Add loopback (127.0.0.0/8, ::1/128) if no cluster or directory runs there.",
        ),
        Setting(
            "CA_BUNDLE",
            "certificates",
            "",
            "Certificate authorities of your own, which the portal trusts beside the system's: for identity providers, "
            "directories, mail, Redis, PostgreSQL, and clusters without a certificate authority of their own. The path "
            "of a PEM file (an empty one counts as none), or PEM itself.",
        ),
        Setting(
            "HTTPS_PROXY",
            "proxy",
            "",
            "The proxy for calls to `https://` addresses: `http://user:password@host:3128`. Identity providers, "
            "directories and clusters are called through it; mail, Redis and PostgreSQL never are. A cluster's "
            "kubeconfig can name another one (`proxy-url`).",
            secret=True,
            also="https_proxy",
        ),
        Setting(
            "HTTP_PROXY",
            "proxy",
            "",
            "The proxy for calls to `http://` addresses.",
            secret=True,
            also="http_proxy",
        ),
        Setting(
            "NO_PROXY",
            "list",
            [],
            "What is called without a proxy: host names with all that is below them, addresses and networks, each with "
            "a port if need be, or `*`. Loopback needs no entry.",
            also="no_proxy",
        ),
    ),
}
