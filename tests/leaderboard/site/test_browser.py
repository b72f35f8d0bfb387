"""The site in a headless Chromium: opens from disk, sorts, filters, asks for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from overopt.commands.leaderboard.build import rank_all
from overopt.commands.leaderboard.command import reader_of
from overopt.leaderboard.site.writing import write_site
from report.chromium import PROGRAM, Tab, chromium

from ..ranking.drawn import write_entry

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no chromium on this machine")
EVIL = "</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    for number, name in enumerate(("alpha", "beta", "gamma", "evil")):
        write_entry(root, name, 0.9 - 0.2 * number, tuned=name != "gamma")
    points = next(root.rglob("evil/*/points.csv"))
    points.write_text(points.read_text().replace(",evil,", f",{EVIL},"))
    found = rank_all(root, root / "none", reader_of(root), lambda what, done, of: None)
    return write_site(found, tmp_path_factory.mktemp("site"))[0]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def shown(tab: Tab, column: int) -> list[str]:
    """Texts of a column of the first board, of the rows that are shown."""
    texts = tab.run(
        "JSON.stringify([...document.querySelectorAll('[data-sheet=board-1] tbody tr')]"
        f".filter(row => !row.hidden).map(row => row.cells[{column}].textContent))"
    )
    found: list[str] = json.loads(texts)
    return found


def choose(tab: Tab, number: int, value: str) -> None:
    tab.run(
        "(() => { const list = document.querySelectorAll('[data-filters=board-1] select')"
        f"[{number}]; list.value = {json.dumps(value)};"
        "list.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


@pytest.mark.parametrize(
    ("width", "dark"), [(1400, False), (1400, True), (800, False), (390, False)]
)
def test_it_opens_sorts_and_filters(browser: Tab, page: Path, width: int, dark: bool) -> None:
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(page, width, dark=dark)
    browser.settle()
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert shown(browser, 0) == ["alpha", "beta", EVIL, "gamma"], "ranked first, gamma is untuned"
    assert shown(browser, 1) == ["1", "2", "3", "–"]
    assert set(shown(browser, 3)) == {"hypervolume"}
    browser.run("document.querySelectorAll('[data-sheet=board-1] thead button')[4].click()")
    assert shown(browser, 0) == ["alpha", "beta", "gamma", EVIL], "by score"
    choose(browser, 0, "=gold at 8 nats")
    assert set(shown(browser, 3)) == {"gold at 8 nats"} and len(shown(browser, 0)) == 4
    choose(browser, 1, "=task's own")
    assert shown(browser, 0) == ["gamma"]
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") != dark
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.requests == [page.resolve().as_uri()]
    assert browser.complaints == []


def test_the_threat_model_is_a_click_away(browser: Tab, page: Path) -> None:
    browser.open(page, 1400)
    browser.run("document.querySelector(\"a[href='#threats']\").click()")
    assert "Goodhart" in browser.run("document.querySelector('#threats').textContent")
