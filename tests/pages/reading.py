"""How tests read a page: by its structure, as a browser and a screen reader would."""

from bs4 import BeautifulSoup, Tag
from django.http import HttpResponse

HTMX = {"HX-Request": "true"}


def read(response: HttpResponse, status: int = 200) -> BeautifulSoup:
    """The page, once its status is as it should be."""
    assert response.status_code == status, f"{response.status_code}: {response.content[:300]!r}"
    soup = BeautifulSoup(response.content, "html.parser")
    for chance in soup.find_all("wbr"):  # to break a line: no space
        chance.decompose()
    soup.smooth()
    return soup


def words(node: Tag | None) -> str:
    """A node's text with single spaces."""
    assert node is not None
    return " ".join(node.get_text(" ", strip=True).split())


def one(soup: Tag, selector: str) -> Tag:
    """The only node that a selector finds."""
    found = soup.select(selector)
    assert len(found) == 1, f"{selector}: {len(found)} found"
    return found[0]


def labelled(soup: Tag, label: str) -> Tag:
    """The form control with this label."""
    for tag in soup.find_all("label"):
        if words(tag).removesuffix(" (optional)") == label:
            return one(soup, f"#{tag['for']}")
    raise AssertionError(f"no control is labelled {label}")


def facts(soup: Tag) -> dict[str, str]:
    """The facts at the top of an environment's page."""
    return {words(item.dt): words(item.dd) for item in soup.select("dl.facts > div")}


def rows(soup: Tag) -> list[list[str]]:
    """The cells of a table's body."""
    return [[words(cell) for cell in row.find_all(["th", "td"])] for row in soup.select("tbody tr")]
