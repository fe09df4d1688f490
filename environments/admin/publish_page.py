"""The data of the page that follows a draft's check on the clusters."""

from dataclasses import dataclass
from typing import Any

from environments.actions import publishing
from environments.models import ClusterVerdict, PublishCheck, TemplateVersion
from environments.models.checks import CheckState, VerdictState
from environments.reconcile import workbench
from environments.reconcile.workbench import Sample
from environments.spec import InvalidSpecError, TemplateSpec


@dataclass(frozen=True)
class SizeLine:
    """What one cluster says of one size so far."""

    title: str
    tone: str
    state: str
    progress: str
    refusals: list[str]
    notes: list[str]


@dataclass(frozen=True)
class ClusterPart:
    """One cluster with its sizes."""

    verdict: ClusterVerdict
    lines: list[SizeLine]


@dataclass(frozen=True)
class CheckPage:
    """A check as it stands."""

    check: PublishCheck
    parts: list[ClusterPart]
    is_void: bool

    @property
    def is_running(self) -> bool:
        """Whether the page can expect more by itself."""
        return self.check.is_running and not self.is_void

    @property
    def is_silent(self) -> bool:
        """Whether a part of it has made no progress for a minute."""
        return self.is_running and any(part.verdict.is_silent for part in self.parts)

    @property
    def open(self) -> list[ClusterVerdict]:
        """The clusters that could not be checked, where the admin can decide to go on without them."""
        stopped = self.check.state == CheckState.STOPPED and not self.is_void
        verdicts = [part.verdict for part in self.parts]
        return [each for each in verdicts if stopped and each.state == VerdictState.UNREACHABLE]

    @property
    def open_names(self) -> str:
        """Their names."""
        return " and ".join(str(verdict.cluster) for verdict in self.open)


def load(version: TemplateVersion) -> CheckPage | None:
    """The last check of a version; None if there was none."""
    check = PublishCheck.objects.select_related("asked_by").filter(version=version).first()
    if check is None:
        return None
    is_void = version.state == TemplateVersion.State.DRAFT and publishing.is_void(check, version)
    try:
        spec = version.parsed()
    except InvalidSpecError:  # written for another version of the portal
        return CheckPage(check, [], is_void)
    found = workbench.samples(spec)
    verdicts = check.verdicts.select_related("cluster")
    return CheckPage(check, [ClusterPart(each, _lines(each, spec, found)) for each in verdicts], is_void)


def _lines(verdict: ClusterVerdict, spec: TemplateSpec, samples: list[Sample]) -> list[SizeLine]:
    titles = {size.name: size.title for size in spec.sizes} or {"": "Quota"}
    of_size = {size: [each for each in samples if each.size == size] for size in titles}
    return [_line(verdict, title, size, of_size[size]) for size, title in titles.items()]


def _line(verdict: ClusterVerdict, title: str, size: str, samples: list[Sample]) -> SizeLine:
    results = [each for each in verdict.results if each["size"] == size]
    refusals = _said(results, "refusals")
    tone, state = _state(verdict, len(results), len(samples), is_refused=bool(refusals))
    progress = f"{len(results)} of {len(samples)} combinations tried" if len(samples) > 1 else ""
    return SizeLine(title, tone, state, progress, refusals, _said(results, "notes"))


def _state(verdict: ClusterVerdict, done: int, total: int, *, is_refused: bool) -> tuple[str, str]:
    if is_refused:
        return "bad", "rejected"
    if done >= total:
        return "ok", "accepted"
    if verdict.state == VerdictState.UNREACHABLE:
        return "", "not checked"
    return "wait", "checking" if done or verdict.state == VerdictState.CHECKING else "waiting"


def _said(results: list[dict[str, Any]], what: str) -> list[str]:
    """Each sentence once, with the values that it is about."""
    found: dict[str, str] = {}
    for result in results:
        for each in result[what]:
            found.setdefault(each["sentence"] if isinstance(each, dict) else each, result["words"])
    return [f"{sentence} ({words})" if words else sentence for sentence, words in found.items()]
