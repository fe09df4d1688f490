"""The settings of identity providers: those of the first one are part of the table in portal/env.py."""

from portal.setting import Setting

EMAILS = ("verified", "unless_unverified", "always")

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


def client(name: str) -> tuple[Setting, ...]:
    """How the portal asks an identity provider, and authenticates there; `name` begins the settings' names."""
    return (
        Setting(
            f"{name}_SCOPES",
            "list",
            [],
            "The scopes to request at sign-in. Empty: openid, and of profile, email and groups those that the "
            "provider's discovery document lists (all, if it lists no scopes).",
        ),
        Setting(
            f"{name}_CLIENT_AUTH",
            "str",
            "",
            "How the portal authenticates at the token endpoint. Empty: with the key if there is one, else as the "
            "provider's discovery document lists it (`client_secret_basic` if it lists nothing). Of two ways "
            "with the secret, the other is tried if one is refused.",
            choices=("", "client_secret_basic", "client_secret_post", "private_key_jwt"),
        ),
        Setting(
            f"{name}_CLIENT_KEY",
            "str",
            "",
            "For `private_key_jwt`: the portal's private key in PEM, without a passphrase.",
            secret=True,
        ),
        Setting(
            f"{name}_CLIENT_KID", "str", "", "For `private_key_jwt`: the key's ID (`kid`), if the provider needs it."
        ),
        Setting(
            f"{name}_CLIENT_ALGORITHM",
            "str",
            "RS256",
            "For `private_key_jwt`: the algorithm that the key signs with.",
            choices=_ALGORITHMS,
        ),
    )


#: The settings of each further identity provider. `<ID>` stands for its id.
FURTHER = (
    Setting("OIDC_<ID>_ISSUER", "str", "", "The identity provider's issuer URL."),
    Setting("OIDC_<ID>_NAME", "str", "", "Its name on the sign-in page. Empty: its id."),
    Setting("OIDC_<ID>_CLIENT_ID", "str", "", "The portal's client ID there."),
    Setting("OIDC_<ID>_CLIENT_SECRET", "str", "", "The portal's client secret there.", secret=True),
    *client("OIDC_<ID>"),
    Setting("OIDC_<ID>_EMAILS", "str", "verified", "As `OIDC_EMAILS`, for this provider.", choices=EMAILS),
    Setting("OIDC_<ID>_EMAIL_DOMAINS", "list", [], "As `OIDC_EMAIL_DOMAINS`, for this provider."),
    Setting("OIDC_<ID>_GROUPS_CLAIM", "str", "groups", "The claim that lists a person's groups."),
    Setting("OIDC_<ID>_ADMIN_GROUPS", "list", [], "Groups of this provider whose members are platform admins."),
    Setting("OIDC_<ID>_MANAGER_GROUPS", "list", [], "Groups of this provider whose members are managers."),
)
