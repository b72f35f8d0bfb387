"""The comparison as the first table of the page."""

from __future__ import annotations

from pathlib import Path

from overopt.report.comparison.comparison import compare_within_reach
from overopt.report.comparison.runs import compare, measures_of
from overopt.report.comparison.sheet import comparison_sheet
from overopt.report.groups import group_results
from overopt.report.html.sheet import Spread
from overopt.report.stored.reading import read_results
from overopt.report.writing import compose_report

from .drawn import write_run


def test_the_sheet_holds_the_numbers_of_the_command(tmp_path: Path) -> None:
    for noise in ("0", "0.25"):
        for name, height in (("a", 0.3), ("b", 0.6), ("c", 0.61)):
            write_run(tmp_path, name, height, noise=noise, name=f"step-{noise}")
    found = compare(tmp_path)
    sheet = comparison_sheet(found.rankings, found.verdicts, found.notes)
    assert sheet.title == "Which method is best at 4 nats?"
    assert sheet.lead == found.verdicts and len(sheet.lead) == 2
    assert sheet.first is not None and sheet.first["noise"] == "0"
    assert {tuple(sorted(row)) for row in sheet.rows} == {tuple(sorted(sheet.rows[0]))}
    assert {column.name for column in sheet.columns} <= set(sheet.rows[0])
    table = found.table
    assert len(sheet.rows) == len(table) == 6
    for row, wanted in zip(sheet.rows, table.to_dict("records"), strict=True):
        assert (row["method"], row["noise"]) == (wanted["method"], wanted["noise"])
        assert row["score"] == Spread(wanted["score"], wanted["low"], wanted["high"])
        if wanted["method"] != wanted["reference"]:
            assert row["p"] == wanted["p_holm"] and row["sees"] == wanted["smallest_seen"]
            assert row["chance"] == wanted["chance_above_reference"]


def test_the_setting_in_which_most_are_ranked_comes_first(tmp_path: Path) -> None:
    for noise, names in (("0", "ab"), ("0.25", "abc")):
        for height, name in enumerate(names, start=1):
            write_run(tmp_path, name, 0.3 * height, noise=noise, name=f"step-{noise}")
    found = compare(tmp_path)
    assert [one.contest.noise for one in found.rankings] == ["0", "0.25"]
    sheet = comparison_sheet(found.rankings, found.verdicts, found.notes)
    assert sheet.first is not None and sheet.first["noise"] == "0.25"
    assert sheet.lead == found.verdicts[::-1]
    assert [row["noise"] for row in sheet.rows] == ["0.25"] * 3 + ["0"] * 2


def test_the_page_leads_with_the_verdict(tmp_path: Path) -> None:
    write_run(tmp_path, "a<b>", 0.3)
    write_run(tmp_path, "b", 0.6)
    page = compose_report(read_results([tmp_path])).page
    assert "<h2>Which method is best at 4 nats?</h2>" in page
    (verdict,) = compare(tmp_path).verdicts
    assert verdict.startswith("b is best at 4 nats; the difference to a<b> is ")
    assert f"<p>{verdict.replace('<', '&lt;').replace('>', '&gt;')}</p>" in page
    assert page.index("id='comparison'") < page.index("id='table'")


def test_where_nobody_reaches_four_nats_the_page_takes_what_two_reached(tmp_path: Path) -> None:
    for name, end in (("a", 2.0), ("b", 2.0), ("c", 1.0)):
        write_run(tmp_path, name, 0.3, reach=dict.fromkeys(range(5), end))
    results = read_results([tmp_path])
    found = compare_within_reach(results, group_results(results), measures_of(results))
    assert found is not None and found.rankings[0].question.at_kl_nats == 2.0
    assert {one.method for one in found.rankings[0].ranked} == {"a", "b"}


def test_a_page_of_one_method_has_no_comparison(tmp_path: Path) -> None:
    write_run(tmp_path, "a", 0.3)
    results = read_results([tmp_path])
    assert compare_within_reach(results, group_results(results), measures_of(results)) is None
    assert "id='comparison'" not in compose_report(results).page
