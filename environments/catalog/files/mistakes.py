"""What is wrong in files, with file and line."""

from dataclasses import dataclass

from environments.spec import Place

_SHOWN = 100  # a file of nonsense is told so, not read aloud


@dataclass(frozen=True)
class Mistake:
    """One sentence about one place."""

    file: str
    line: int  # 0: the file as a whole
    text: str
    place: Place = ()

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {dotted(self.place)}: {self.text}" if self.place else f"{where}: {self.text}"


class InvalidFilesError(ValueError):
    """Everything that is wrong in the files, a line each."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        lines = [str(mistake) for mistake in mistakes[:_SHOWN]]
        if len(mistakes) > _SHOWN:
            lines.append(f"… and {len(mistakes) - _SHOWN} more.")
        super().__init__("\n".join(lines))
        self.mistakes = mistakes


def dotted(place: Place) -> str:
    """A place as people write it: `spec.sizes[0].quota.pods`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
