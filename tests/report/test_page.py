"""The page: well formed, self-contained, escaped; the same bytes each time."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from overopt.report.html import assets
from overopt.report.html.assets import PINNED, UPLOT_VERSION, embed_json, read_asset
from overopt.report.stored.reading import read_results
from overopt.report.tables.text import quote_formula
from overopt.report.writing import Request, compose_report, write_report

from .synthetic import Cell, write_runs

EVIL = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\"'&"
VOID = {"meta", "br", "img", "link", "input"}


class Checker(HTMLParser):
    """Collects tags, attributes and text, and checks that elements nest.

    A cell ends where the next one begins, or its row ends.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "td" and self.open[-1] == "td":
            self.open.pop()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr" and self.open[-1] == "td":
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def check(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    return checker


def test_every_file_is_written(report: list[Path]) -> None:
    assert report[0].name == "report.html"
    names = {path.name for path in report}
    assert {"curves.csv", "fits.csv", "scores.csv", "scores.tex", "fits.tex"} < names
    for stem in ("gold_d", "gold_kl", "gap", "front"):
        assert {f"{stem}.png", f"{stem}.pdf"} < names
    assert {"pareto.csv", "stability.csv"} < names
    assert len(names) == 1 + 8 + 7  # of one size there is no figure of sizes
    assert all(path.stat().st_size > 300 for path in report)
    listed = json.loads((report[0].parent / "report.json").read_text())["files"]
    assert set(listed) == names


def test_the_page_parses_and_asks_for_nothing(report: list[Path]) -> None:
    page = report[0].read_text()
    checker = check(page)
    assert not checker.tags & {"img", "link", "iframe", "object", "base", "use-external"}
    for name, value in checker.attributes:
        assert not name.startswith("on")
        assert "http" not in value.replace("http-equiv", "") and "//" not in value
        if name in ("href", "src", "xlink:href", "action"):
            assert value.startswith("#")
    ids = [value for name, value in checker.attributes if name == "id"]
    links = {value[1:] for name, value in checker.attributes if name == "href"}
    assert len(ids) == len(set(ids))
    assert links <= set(ids)
    assert "@import" not in page and "url(h" not in page
    # one script, which its hash lets run, and one block of data
    assert page.count("<script") == page.count("</script>") == 2
    code = page.rpartition("<script>")[2].partition("</script>")[0]
    digest = b64encode(sha256(code.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'" in page
    assert "default-src 'none'" in page


def test_the_library_is_the_pinned_one_and_carries_its_license(report: list[Path]) -> None:
    for name, digest in PINNED.items():
        content = (Path(assets.__file__).parent / "assets" / name).read_bytes()
        assert sha256(content).hexdigest() == digest
    library = read_asset("uPlot.iife.min.js")
    assert library.startswith(f"/*! https://github.com/leeoniya/uPlot (v{UPLOT_VERSION}) */")
    page = report[0].read_text()
    assert library in page
    assert "Copyright (c) 2022 Leon Sorokin" in page


def test_a_changed_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uPlot.iife.min.js").write_text("alert(1)")
    monkeypatch.setattr(assets, "_FOLDER", tmp_path)
    with pytest.raises(ValueError, match=f"is not the file of uplot@{UPLOT_VERSION}"):
        read_asset("uPlot.iife.min.js")


def test_data_cannot_leave_its_block() -> None:
    evil = {"</script><script>": "<!-- & \u2028 'x' \"y\""}
    text = embed_json(evil)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == evil
    with pytest.raises(ValueError, match="JSON compliant"):
        embed_json(float("nan"))


def test_the_page_says_what_was_run_and_what_is_missing(report: list[Path]) -> None:
    text = " ".join(check(report[0].read_text()).text)
    for words in (
        "bench run --method ipo --kl-grid",
        "0123456789abcdef0123456789abcdef01234567 with uncommitted changes",
        "failed: seed 3",
        "8, 16, 32 nats out of reach",
        "rises, then falls",
        "the luggage felt really really superb",
        "7.2 min",
        "6.7 min: optimize 75%, pool 25%, without 2 artifacts whose cost is not recorded",
        "Exploratory: fewer than 5 seeds",
        "it cannot see responses that the pool never drew",
    ):
        assert words in text


def test_everything_from_results_is_escaped(tmp_path: Path) -> None:
    (run,) = write_runs(
        tmp_path / "in", methods=("dpo",), proxies=("single",), noises=("0",), seeds=(0, 1)
    )
    items = json.loads((run / "excerpts.json").read_text())
    items[0] |= {"prompt": EVIL, "initial": EVIL, "hacked": EVIL}
    (run / "excerpts.json").write_text(json.dumps(items))
    record = json.loads((run / "run.json").read_text())
    record |= {"arguments": ["bench", EVIL], "machine": EVIL, "commit": EVIL, EVIL: EVIL}
    record["stages"] = [{"stage": EVIL, "artifacts": 1, "cpu_s": 1.0, "unknown": 0}]
    (run / "run.json").write_text(json.dumps(record))
    points = (run / "points.csv").read_text()
    points = points.replace("reviews,0,rule,dpo,", 'reviews,0,rule,"</script><i>d&po",')
    (run / "points.csv").write_text(points)
    page = compose_report(read_results([run])).page
    checker = check(page)
    assert not checker.tags & {"img", "i"}
    assert page.count("<script") == page.count("</script>") == 2
    assert all(not name.startswith("on") for name, _ in checker.attributes)
    text = " ".join(checker.text)
    assert text.count(EVIL) >= 5
    assert "</script><i>d&po" in text


def test_no_character_of_the_page_steers_who_reads_it(tmp_path: Path) -> None:
    (run,) = write_runs(
        tmp_path / "in", methods=("dpo",), proxies=("single",), noises=("0",), seeds=(0, 1)
    )
    hostile = "\x1b[2J\x00\x07\x9b\u202e\u2028"
    for name in ("excerpts.json", "run.json"):
        text = (run / name).read_text()
        text = text.replace("the room", f"the {json.dumps(hostile)[1:-1]} room")
        (run / name).write_text(text.replace('"bench"', json.dumps(hostile)))
    write_report([run], tmp_path / "out", Request(figures=()))
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("\ufffd[2J") >= 2
    assert all(letter.isprintable() or letter == "\n" for letter in page)


def test_formulas_are_text_in_every_file(tmp_path: Path) -> None:
    (run,) = write_runs(
        tmp_path / "in", methods=("dpo",), proxies=("single",), noises=("0",), seeds=(0, 1)
    )
    points = pd.read_csv(run / "points.csv", dtype=str, keep_default_na=False)
    points.assign(method="=cmd()").to_csv(run / "points.csv", index=False)
    out = tmp_path / "out"
    write_report([run], out, Request(figures=()))
    for name in ("scores", "fits", "curves"):
        table = pd.read_csv(out / f"{name}.csv", dtype=str)
        assert set(table["method"]) == {"'=cmd()"}
    assert "=cmd()" in " ".join(check((out / "report.html").read_text()).text)
    assert quote_formula("@x") == "'@x" and quote_formula("x=1") == "x=1"
    assert quote_formula(-1.5) == -1.5


@pytest.mark.parametrize(("method", "seeds"), [("dpo", (0,)), ("bon", (3, 4))])
def test_one_seed_or_one_method_is_enough(
    tmp_path: Path, method: str, seeds: tuple[int, ...]
) -> None:
    write_runs(tmp_path, methods=(method,), proxies=("single",), noises=("0",), seeds=seeds)
    page = compose_report(read_results([tmp_path])).page
    assert f"{len(seeds)}/{len(seeds)}" in page
    assert "exploratory" in page


def test_a_run_in_which_everything_failed_is_still_reported(tmp_path: Path) -> None:
    cells = tuple(Cell("dpo", "single", "0", seed) for seed in (0, 1))
    (run,) = write_runs(
        tmp_path, methods=("dpo",), proxies=("single",), noises=("0",), seeds=(0, 1), failed=cells
    )
    assert not (run / "contrasts.csv").exists() and not (run / "budgets.csv").exists()
    for name in ("excerpts.json", "front.csv"):
        (run / name).unlink()
    text = compose_report(read_results([run])).page
    assert "failed: seed 0, 1" in text


def test_two_tasks_have_a_folder_each(tmp_path: Path) -> None:
    for task in ("reviews", "sums/../x"):
        folders = write_runs(
            tmp_path / "in" / task.replace("/", "_"), methods=("bon",), proxies=("single",),
            noises=("0",), seeds=(0,), task=task.replace("/", "_"),
        )  # fmt: skip
        points = (folders[0] / "points.csv").read_text()
        (folders[0] / "points.csv").write_text(points.replace(task.replace("/", "_"), task))
    out = tmp_path / "out"
    written = write_report([tmp_path / "in"], out, Request(figures=("gap",)))
    assert out / "reviews" / "gap.png" in written
    assert out / "sums____x" / "gap.png" in written
    page = (out / "report.html").read_text()
    assert "<option value='=reviews' selected>" in page  # one task at a time


def test_the_same_results_give_the_same_bytes_in_another_process(
    run_root: Path, report: list[Path], tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path; from overopt.report.writing import write_report; "
        "write_report([Path(sys.argv[1])], Path(sys.argv[2])); "
        "assert not {'torch', 'transformers', 'overopt.methods'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(run_root), str(tmp_path)], check=True)
    for path in report:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_importing_the_report_loads_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, overopt.report; "
        "assert not {'torch', 'matplotlib', 'pandas', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
