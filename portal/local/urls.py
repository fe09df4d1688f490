"""URLs for local accounts, under accounts/. Only these pages of allauth are reachable, under its own names."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from django.urls import URLPattern, path, reverse_lazy

from portal.local import pages

_T = "portal/local"

urlpatterns: list[URLPattern] = [
    path("invitation/<str:token>/", pages.accept_invitation, name="accept_invitation"),
    path("password/", pages.ChangePassword.as_view(), name="account_change_password"),
    path(
        "password/reset/",
        account.PasswordResetView.as_view(template_name=f"{_T}/reset.html"),
        name="account_reset_password",
    ),
    path(
        "password/reset/done/",
        account.PasswordResetDoneView.as_view(template_name=f"{_T}/reset_done.html"),
        name="account_reset_password_done",
    ),
    path(
        "password/reset/<str:uidb36>/<str:key>/",
        account.PasswordResetFromKeyView.as_view(template_name=f"{_T}/reset_from_key.html"),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/changed/",
        account.PasswordResetFromKeyDoneView.as_view(template_name=f"{_T}/reset_changed.html"),
        name="account_reset_password_from_key_done",
    ),
    path(
        "confirm/",
        account.ReauthenticateView.as_view(template_name=f"{_T}/confirm_password.html"),
        name="account_reauthenticate",
    ),
    path(
        "confirm/code/",
        mfa.ReauthenticateView.as_view(template_name=f"{_T}/confirm_code.html"),
        name="mfa_reauthenticate",
    ),
    path(
        "confirm/passkey/",
        passkeys.ReauthenticateWebAuthnView.as_view(template_name=f"{_T}/confirm_passkey.html"),
        name="mfa_reauthenticate_webauthn",
    ),
    path("code/", mfa.AuthenticateView.as_view(template_name=f"{_T}/second_factor.html"), name="mfa_authenticate"),
    path("security/", pages.Security.as_view(), name="mfa_index"),
    path("security/app/", pages.AddTOTP.as_view(), name="mfa_activate_totp"),
    path(
        "security/app/remove/",
        totp.DeactivateTOTPView.as_view(template_name=f"{_T}/remove_totp.html"),
        name="mfa_deactivate_totp",
    ),
    path(
        "security/codes/",
        codes.ViewRecoveryCodesView.as_view(template_name=f"{_T}/codes.html"),
        name="mfa_view_recovery_codes",
    ),
    path(
        "security/codes/new/",
        codes.GenerateRecoveryCodesView.as_view(template_name=f"{_T}/new_codes.html"),
        name="mfa_generate_recovery_codes",
    ),
    path("security/passkeys/new/", pages.AddPasskey.as_view(), name="mfa_add_webauthn"),
    path(
        "security/passkeys/<int:pk>/remove/",
        passkeys.RemoveWebAuthnView.as_view(
            template_name=f"{_T}/remove_passkey.html", success_url=reverse_lazy("mfa_index")
        ),
        name="mfa_remove_webauthn",
    ),
]
