"""A large catalog and a long form stay pleasant: few queries, and no work done twice."""

import time

import pytest

from environments.models import Template, Team
from tests.pages.reading import HTMX, read, words

KINDS = [
    {"type": "quantity", "mode": "restricted", "choices": ["1", "2", "4"], "default": "1", "required": True},
    {"type": "quantity", "minimum": "1", "maximum": "64", "default": "2"},
    {"type": "integer", "minimum": "1", "default": "3"},
    {"type": "choice", "choices": ["test", "acceptance", "production"], "default": "test"},
    {"type": "boolean", "default": "true"},
    {"type": "text"},
    {"type": "string", "pattern": "[a-z0-9-]*"},
    {"mode": "fixed", "default": "on"},
]
LONG = {
    "parameters": [
        {"name": f"p{number}", "label": f"Question {number}", "help": "Some help."} | KINDS[number % len(KINDS)]
        for number in range(40)
    ],
    "sizes": [
        {"name": f"size{number}", "quota": {"pods": str(number), "requests.cpu": "${p0}"}} for number in range(1, 7)
    ],
    "quota": {f"count/kind{number}.example.com": f"${{p{number % 5 * 8}}}" for number in range(20)},
    "limits": {"default": {"cpu": "100m", "memory": "128Mi"}},
    "annotations": {f"example.com/p{number}": f"${{p{number}}}" for number in range(40)},
}


@pytest.fixture
def large(make_template, team):
    for number in range(200):
        make_template(f"template-{number}", category=f"Category {number % 8}", readme="Words. " * 200)
    for template in Template.objects.filter(slug__endswith="7"):
        template.teams.add(team)


def test_timing(client, dana, make_template, large, cluster, directory):
    make_template("long", spec=LONG)
    client.force_login(dana)
    for address in ("/", "/", "/?q=template-1", "/catalog/long/", "/catalog/long/", "/catalog/long/request/", "/catalog/long/request/", "/catalog/template-3/request/"):
        begin = time.perf_counter()
        r = client.get(address)
        print(address, r.status_code, len(r.content), round((time.perf_counter() - begin) * 1000, 1), "ms")
    data={"name":"x","p_p0":"2"}
    begin = time.perf_counter()
    r = client.post("/catalog/long/preview/", data)
    print("preview", r.status_code, len(r.content), round((time.perf_counter() - begin) * 1000, 1), "ms")
    import cProfile, pstats
    for address in ("/", "/catalog/long/request/"):
        p = cProfile.Profile(); p.enable(); client.get(address); p.disable()
        pstats.Stats(p).sort_stats("cumulative").print_stats(28)
