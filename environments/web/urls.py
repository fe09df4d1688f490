"""The product's pages."""

from django.urls import path

from environments.web.views import (
    alerts,
    approvals,
    catalog,
    environments,
    kubeconfig,
    members,
    reports,
    summary,
    usage,
)

urlpatterns = [
    path("", catalog.catalog, name="catalog"),
    path("catalog/<slug:slug>/", catalog.template, name="template"),
    path("catalog/<slug:slug>/request/", catalog.request_form, name="request"),
    path("catalog/<slug:slug>/preview/", catalog.preview, name="preview"),
    path("environments/", environments.environments, name="environments"),
    path("environments/<slug:namespace>/", environments.environment, name="environment"),
    path("environments/<slug:namespace>/history/", environments.history, name="history"),
    path("environments/<slug:namespace>/objects/", environments.objects, name="objects"),
    path("environments/<slug:namespace>/delete/", environments.delete, name="delete"),
    path("environments/<slug:namespace>/alerts/", alerts.alerts, name="alerts"),
    path("environments/<slug:namespace>/usage/", usage.usage, name="usage"),
    path("environments/<slug:namespace>/usage/csv/", usage.usage_csv, name="usage_csv"),
    path("environments/<slug:namespace>/workloads/", usage.workloads, name="workloads"),
    path("environments/<slug:namespace>/members/", members.members, name="members"),
    path("environments/<slug:namespace>/members/remove/", members.remove, name="remove_member"),
    path("environments/<slug:namespace>/members/hand-over/", members.hand_over, name="hand_over"),
    path("environments/<slug:namespace>/kubeconfig/", kubeconfig.kubeconfig, name="kubeconfig"),
    path("environments/<slug:namespace>/kubeconfig/oidc/", kubeconfig.download_oidc, name="kubeconfig_oidc"),
    path("environments/<slug:namespace>/kubeconfig/token/", kubeconfig.download_token, name="kubeconfig_token"),
    path("environments/<slug:namespace>/kubeconfig/revoke/", kubeconfig.revoke, name="revoke_tokens"),
    path("environments/<slug:namespace>/decide/", approvals.decide, name="decide"),
    path("environments/<slug:namespace>/extend/", environments.extend, name="extend"),
    path("environments/<slug:namespace>/move/", environments.move, name="move"),
    path("environments/<slug:namespace>/try-again/", environments.try_again, name="try_again"),
    path("approvals/", approvals.listing, name="approvals"),
    path("reports/", reports.landing, name="reports"),
    path("reports/summary/", summary.switch, name="summary"),
    path("reports/<slug:report>/", reports.report, name="report"),
    path("reports/<slug:report>.csv", reports.report_csv, name="report_csv"),
    path("reports/<slug:report>.xlsx", reports.report_xlsx, name="report_xlsx"),
]
