"""The page in a headless Chromium: opens from disk, sorts, filters, is read, asks for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from overopt.report.writing import Request, write_report

from .chromium import PROGRAM, Tab, chromium
from .synthetic import write_many, write_runs

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no chromium on this machine")

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>=cmd()"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight methods on two proxies and two noises, of which one has a poisoned name."""
    root = tmp_path_factory.mktemp("many")
    runs = write_many(root, 8, seeds=(0, 1))
    points = (runs[1] / "points.csv").read_text()
    (runs[1] / "points.csv").write_text(points.replace(",method-01,", f',"{EVIL}",'))
    return write_report([root], tmp_path_factory.mktemp("page"), Request(figures=()))[0]


@pytest.fixture
def tab(browser: Tab, page: Path) -> Tab:
    """The page opened anew, after which nothing else may be asked for and nothing complained."""
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(page, 1400)
    browser.settle()
    return browser


def column(tab: Tab, number: int) -> list[str]:
    """Texts of a column of the table of methods, of the rows that are shown, from the top."""
    texts = tab.run(
        "JSON.stringify([...document.querySelectorAll('[data-sheet=methods] tbody tr')]"
        f".filter(row => !row.hidden).map(row => row.cells[{number}].textContent))"
    )
    found: list[str] = json.loads(texts)
    return found


def click(tab: Tab, selector: str) -> None:
    tab.run(f"document.querySelector({json.dumps(selector)}).click()")
    tab.settle()


def choose(tab: Tab, label: str, value: str) -> None:
    """Choose a value of the filter with a label."""
    tab.run(
        "(() => { const label = [...document.querySelectorAll('.filters label')]"
        f".find(one => one.textContent.trim().startsWith('{label}'));"
        "const list = label.querySelector('select, input');"
        f"list.value = {json.dumps(value)};"
        "list.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    tab.settle()


@pytest.mark.parametrize(
    ("width", "dark"), [(1400, False), (1400, True), (800, False), (390, False)]
)
def test_it_opens_at_every_width(browser: Tab, page: Path, width: int, dark: bool) -> None:
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(page, width, dark=dark)
    browser.settle()
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('.panels canvas').length") == 4
    drawn = browser.run(
        "(() => { const canvas = document.querySelector('.panels canvas');"
        "const {width, height} = canvas;"
        "const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;"
        "return new Set(new Uint32Array(pixels.buffer)).size; })()"
    )
    assert drawn > 20  # lines, bands, names and their edges
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(22, 24, 27)" if dark else "rgb(255, 255, 255)")
    click(browser, "details[data-fold] > summary")
    assert browser.run("document.querySelectorAll('details[open] canvas').length") == 5
    assert browser.requests == [page.resolve().as_uri()]
    assert browser.complaints == []


def test_headers_sort_and_say_so(tab: Tab) -> None:
    header = "[data-sheet=methods] th:nth-child({}) button"
    number = (
        column(tab, 0),
        [
            tab.run(f"document.querySelectorAll('[data-sheet=methods] th')[{i}].textContent")
            for i in range(14)
        ],
    )
    place = number[1].index("gold at peak")
    click(tab, header.format(place + 1))
    golds = [float(text.split(" ")[0].replace("−", "-")) for text in column(tab, place)]
    assert golds == sorted(golds, reverse=True) and len(golds) == 32
    sort = f"document.querySelectorAll('[data-sheet=methods] th')[{place}].ariaSort"
    assert tab.run(sort) == "descending"
    click(tab, header.format(place + 1))
    assert tab.run(sort) == "ascending"
    golds = [float(text.split(" ")[0].replace("−", "-")) for text in column(tab, place)]
    assert golds == sorted(golds)
    click(tab, header.format(number[1].index("fall") + 1))
    falls = column(tab, number[1].index("fall"))
    missing = [text == "–" for text in falls]
    assert missing == sorted(missing)  # what is missing comes last
    assert tab.complaints == []


def test_filters_and_words_narrow_table_and_charts(tab: Tab) -> None:
    choose(tab, "family", "=selection")
    assert set(column(tab, 0)) == {"bon"} and set(column(tab, 1)) == {"selection"}
    assert tab.run("document.querySelector('.filters output').textContent") == "4 of 32 rows"
    choose(tab, "proxy", "=uwo")
    choose(tab, "noise", "=0.25")
    assert tab.run("document.querySelectorAll('.panels canvas').length") == 1
    assert (
        tab.run("document.querySelector('.panels h3').textContent") == "uwo · 25 % labels flipped"
    )
    choose(tab, "find", "no such method")
    assert column(tab, 0) == []
    assert "No row passes" in tab.run("document.querySelector('[data-told]').textContent")
    assert tab.complaints == []


def test_methods_are_chosen_by_their_names(tab: Tab) -> None:
    assert "5 highest peaks" in tab.run("document.querySelector('[data-told]').textContent")
    click(tab, "[data-choose='bon']")
    assert tab.run("document.querySelector('[data-told]').textContent") == "Colored: the 1 chosen."
    assert tab.run("document.querySelector(\"[data-choose='bon']\").ariaPressed") == "true"
    click(tab, "[data-toggles] button")
    assert tab.run("document.querySelector(\"[data-choose='bon']\").ariaPressed") == "false"
    click(tab, "[data-toggles] [name=proxy]")
    assert tab.complaints == []


def test_a_point_is_read_by_pointer_and_by_keys(tab: Tab) -> None:
    place = json.loads(
        tab.run(
            "(() => { const box = document.querySelector('.u-over').getBoundingClientRect();"
            "return JSON.stringify([box.x, box.y, box.width, box.height]); })()"
        )
    )
    tip = "document.querySelector('.panels .tip')"
    for share in (0.3, 0.4, 0.5, 0.6):  # a line passes somewhere
        tab.point(place[0] + 0.55 * place[2], place[1] + share * place[3])
        tab.settle()
        if not tab.run(f"{tip}.hidden"):
            break
    assert " nats · gold " in tab.run(f"{tip}.textContent")
    tab.point(2, 2)
    tab.settle()
    assert tab.run(f"{tip}.hidden")

    tab.run("document.querySelector('.panels .plot').focus()")
    tab.press("ArrowRight")
    first = tab.run(f"{tip}.textContent")
    tab.press("ArrowLeft")
    second = tab.run(f"{tip}.textContent")
    assert first != second and first.split(" · ")[0] == second.split(" · ")[0]
    tab.press("ArrowDown")
    assert tab.run(f"{tip}.textContent").split(" · ")[0] != second.split(" · ")[0]
    said = tab.run("document.querySelector('.panels [aria-live]').textContent")
    assert said == tab.run(f"{tip}.textContent")
    named = said.split(" · ")[0]
    tab.press("Enter")
    tab.settle()
    if named != "oracle":
        chosen = tab.run("document.querySelector('[aria-pressed=true]').dataset.choose")
        assert chosen == named
    tab.press("Escape")
    assert tab.complaints == []


def test_the_reading_follows_a_line(tab: Tab) -> None:
    choose(tab, "family", "=selection")
    choose(tab, "proxy", "=uwo")
    choose(tab, "noise", "=0.25")
    click(tab, "[data-toggles] [name=oracle]")
    told = []
    for point in (2, 4, 5):
        x, y, words = json.loads(
            tab.run(
                "(() => { const [chart] = CHARTS; const [line] = chart.spec.lines;"
                "const box = chart.plot.over.getBoundingClientRect();"
                f"return JSON.stringify([box.x + chart.plot.valToPos(line.x[{point}], 'x'),"
                f"box.y + chart.plot.valToPos(line.y[{point}], 'y'), line.tell({point})]); }})()"
            )
        )
        tab.point(x, y)
        tab.settle()
        assert tab.run("document.querySelector('.panels .tip').textContent") == words
        told.append(words)
    assert len(set(told)) == 3 and all(words.startswith("bon · ") for words in told)
    tab.point(2, 2)
    tab.settle()
    assert tab.run("document.querySelector('.panels .tip').hidden")
    assert tab.complaints == []


def test_paper_is_white_and_shows_no_controls(browser: Tab, page: Path) -> None:
    browser.open(page, 1000, dark=True)
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.settle()
    paper = "getComputedStyle(document.body).backgroundColor"
    controls = "getComputedStyle(document.querySelector('.filters')).display"
    frame = "getComputedStyle(document.querySelector('.tall')).maxHeight"
    corner = "document.querySelector('.panels canvas').getContext('2d').getImageData(1, 1, 1, 1)"
    read = (
        browser.run(paper),
        browser.run(controls),
        browser.run(frame),
        browser.run(f"{corner}.data[3]"),
    )
    browser.call("Emulation.setEmulatedMedia", media="")
    assert read == ("rgb(255, 255, 255)", "none", "none", 0)


def test_poisoned_names_stay_text(tab: Tab) -> None:
    assert EVIL in column(tab, 0)
    click(tab, f"[data-choose={json.dumps(EVIL)}]")
    assert tab.run("document.querySelector('[aria-pressed=true]').dataset.choose") == EVIL
    assert tab.run("document.querySelectorAll('img').length") == 0
    assert tab.run("document.scripts.length") == 2
    assert tab.complaints == []


def test_the_keyboard_reaches_headers_and_shows_where_it_is(tab: Tab) -> None:
    tab.run("document.querySelector('[data-sheet=methods] th button').focus()")
    tab.press("Tab")
    tab.press("Enter")
    assert tab.run("document.querySelectorAll('[data-sheet=methods] th')[1].ariaSort") != "none"
    width = tab.run("getComputedStyle(document.activeElement).outlineWidth")
    assert width == "2px"


def test_contrast_is_sufficient_in_both_modes(browser: Tab, page: Path) -> None:
    """WCAG 2.1, 1.4.3: 4.5 for text; 1.4.11: 3 for lines that are colored."""
    for dark in (False, True):
        browser.open(page, 1400, dark=dark)
        read = (
            "JSON.stringify(Object.fromEntries(['ink', 'soft', 'accent', 'warn', 'paper', 'card',"
            "'c0', 'c1', 'c2', 'c3', 'c4', 'c5'].map(name => [name, ink(name)])))"
        )
        colors = json.loads(browser.run(read))
        for name in ("ink", "soft", "accent", "warn", "c0", "c1", "c2", "c3", "c4"):
            assert contrast(colors[name], colors["paper"]) >= 4.5, (name, dark)
        assert contrast(colors["c5"], colors["paper"]) >= 3.0
        assert contrast(colors["soft"], colors["card"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """Ratio of relative luminances of two colors such as ``#1c1e21``."""

    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_one_method_on_its_own_opens(browser: Tab, tmp_path: Path) -> None:
    write_runs(tmp_path / "in", ("dpo",), ("single",), ("0",), seeds=(0,), failed=())
    only = write_report([tmp_path / "in"], tmp_path / "out", Request(figures=()))[0]
    browser.complaints.clear()
    browser.open(only, 1400)
    browser.settle()
    assert browser.run("document.querySelectorAll('.panels canvas').length") == 1
    assert browser.complaints == []
