"""Local accounts in the admin: invitations, and resetting lost second factors."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from environments.admin.base import AnyAdmin, AnyForm, actor, pill
from environments.admin.people import UserAdmin
from environments.lib import queue
from environments.models import Invitation, User
from portal import linking, providers, tasks
from portal.local import factors, invitations

_TONES = {"open": "wait", "accepted": "ok", "revoked": "", "expired": "warn"}
_PROMISE = ("email", "first_name", "last_name", "role", "teams")


class InvitationForm(AnyForm):
    """The person to invite."""

    def clean_email(self) -> str:
        """The address as accounts have it. Raises ValidationError where there is an account."""
        email = User.objects.normalize_email(self.cleaned_data["email"])
        invitations.refuse_known(email)
        return email


@admin.register(Invitation)
class InvitationAdmin(AnyAdmin):
    """Invitations can be created and revoked, but not changed. Revoke a wrong one and create another."""

    form = InvitationForm
    list_display = ("email", "role", "shown_state", "invited_by", "invited_at", "expires_at", "mailed_at")
    list_filter = ("role",)
    search_fields = ("email", "first_name", "last_name")
    autocomplete_fields = ("teams",)
    actions = ("revoke", "send_again")
    list_per_page = 50

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Only where there are local accounts."""
        return bool(settings.LOCAL_ACCOUNTS) and self.admin_site.has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only where there are local accounts."""
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only where there are local accounts."""
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allowed for the actions only; all fields are read-only (`get_readonly_fields`)."""
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the row records who invited whom."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the invitation; after it was created, its state and account too."""
        if obj is None:
            return ((None, {"fields": _PROMISE}),)
        link = ("link",) if obj.state == "open" else ()
        became = ("invited_by", "invited_at", "mailed_at", "expires_at", "accepted_at", "account")
        return (
            (None, {"fields": (*_PROMISE, "shown_state", *link)}),
            ("Outcome", {"fields": (*became, "revoked_at", "revoked_by")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return all fields once the invitation exists."""
        if obj is None:
            return ()
        return tuple(name for _, options in self.get_fieldsets(request, obj) for name in options["fields"])

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        """Create the invitation and have the link sent. An existing one never changes."""
        if change:
            return
        invitations.invite(obj, form.cleaned_data["teams"], by=actor(request))
        self._send(request, obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Do nothing: the teams are stored already."""

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Hide the save buttons, because nothing can be changed."""
        buttons = dict.fromkeys(("show_save", "show_save_and_continue", "show_save_and_add_another"), False)
        kwargs["extra_context"] = buttons | (kwargs.get("extra_context") or {})
        return super().change_view(request, *args, **kwargs)

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        """Close open invitations."""
        revoked = [row for row in queryset if invitations.revoke(row, by=actor(request))]
        for row in revoked:
            self.log_change(request, row, "Revoked.")
        self.message_user(request, f"Invitations revoked: {len(revoked)}.")

    @admin.action(description="Send the email again", permissions=["change"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        """Send the same link once more."""
        for row in queryset:
            if row.state == "open":
                self._send(request, row)
            else:
                self.message_user(
                    request, f"The invitation of {row} was not sent again, because it is {row.state}.", messages.WARNING
                )

    @admin.display(description="State")
    def shown_state(self, row: Invitation) -> SafeString:
        """The invitation's state."""
        return pill(row.state, _TONES[row.state])

    @admin.display(description="Link")
    def link(self, row: Invitation) -> str:
        """The link, for handing it over another way if no email arrives."""
        return invitations.link(row)

    def _send(self, request: HttpRequest, row: Invitation) -> None:
        if queue.send(tasks.send_invitation.name, row.pk):
            self.message_user(request, f"The link is on its way to {row.email}.")
        else:
            self.message_user(
                request,
                f"The portal could not send the email to {row.email}. Pass the link on yourself.",
                messages.WARNING,
            )


@admin.register(User)
class PersonAdmin(UserAdmin):
    """Users, with an action that resets lost second factors, and a page that links an account to a new identity."""

    actions = ("reset_factors",)
    change_form_template = "admin/environments/user/change_form.html"

    def get_urls(self) -> Any:
        """With the page for linking."""
        view = self.admin_site.admin_view(self.link_view)
        return [path("<int:pk>/link/", view, name="environments_user_link"), *super().get_urls()]

    def link_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Link an account to an identity whose sign-in was refused, or say that this is another person."""
        person: User | None = self.get_object(request, str(pk))
        if person is None:
            raise Http404
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        error = self._decided(request, person) if request.method == "POST" else ""
        if request.method == "POST" and not error:
            return redirect(reverse("admin:environments_user_change", args=[person.pk]))
        context = {"title": "Link to the new identity", "row": person, "error": error}
        waiting = [(each, providers.name_of(each.provider)) for each in linking.candidates(person)]
        context |= {"identities": waiting, "provider": providers.name_of(person.provider)}
        context |= {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, "admin/environments/user/link.html", context, status=422 if error else 200)

    def _decided(self, request: HttpRequest, person: User) -> str:
        """Carry the decision out and record it; what is wrong with it, empty if nothing is."""
        wanted = request.POST.get("identity", "")
        identity = next((each for each in linking.candidates(person) if str(each.pk) == wanted), None)
        if identity is None:
            return "Someone has already decided on this identity. Reload the page."
        try:
            if "another_person" in request.POST:
                linking.let_in(identity, by=actor(request))
                said = f"Let in {identity} as another person."
            else:
                linking.link(person, identity, by=actor(request))
                said = f"Linked to {identity}, subject {identity.subject}."
        except ValidationError as refusal:
            return str(refusal.messages[0])
        self.log_change(request, person, said)
        self.message_user(request, said)
        return ""

    def has_reset_factors_permission(self, request: HttpRequest) -> bool:
        """There is nothing to reset where there are no local accounts."""
        return bool(settings.LOCAL_ACCOUNTS) and self.admin_site.has_permission(request)

    @admin.action(description="Reset second factors", permissions=["reset_factors"])
    def reset_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Remove the factors, email the person, and record who did it."""
        for person in queryset:
            if person.pk == actor(request).pk:
                self.message_user(
                    request, "You cannot reset your own second factors here. Use your security page.", messages.WARNING
                )
            elif factors.reset(person):
                self.log_change(request, person, "Reset the second factors.")
                self._tell(request, person)
            else:
                self.message_user(request, f"{person} has no second factor.", messages.WARNING)

    def _tell(self, request: HttpRequest, person: User) -> None:
        try:
            factors.tell_of_reset(person, actor(request))
        except OSError:
            self.message_user(
                request, f"The email to {person} could not be sent. Tell them yourself.", messages.WARNING
            )
        self.message_user(request, f"The second factors of {person} were reset.")
