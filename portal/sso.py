"""Site policy for sign-in."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter


class AccountAdapter(DefaultAccountAdapter):
    """Local accounts."""


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Single sign-on."""
