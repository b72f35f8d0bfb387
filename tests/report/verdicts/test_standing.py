"""The documentation page of verdicts, and the files that it is made from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.papers.contract import Checked, Claim, Exact, Gold, Hump, more
from overopt.report.verdicts.judging import judge
from overopt.report.verdicts.shown.tables import verdicts_csv, verdicts_json
from overopt.report.verdicts.standing import MARKER, page, read_verdicts, standing

from .planted import HIGHER, HUMPED, STEADY, arm_rows, humped, saturating

ROOT = Path(__file__).parents[3]
CLAIMS = (
    Claim("x-01", "a | hump <b>", "a number", "section 1", Hump(HUMPED)),
    Claim("x-02", "higher", "a number", "section 1", more(Gold(STEADY), Gold(HUMPED))),
    Claim("x-03", "exact", "p", "w", Exact(lambda: Checked(False, 0.2, 0.1, "computed"), "r")),
    Claim("x-04", "waits", "p", "w", None, "a rule", needs="streams"),
)
MEASURED = {
    HUMPED: arm_rows(humped, number=1),
    STEADY: arm_rows(saturating, number=2),
    HIGHER: arm_rows(saturating, number=3),
}


def stored(folder: Path) -> Path:
    verdicts = judge(CLAIMS, MEASURED)
    target = folder / "x2024-smoke"
    target.mkdir()
    text = verdicts_json("x2024", "A title", "https://example.org", "smoke", verdicts)
    (target / "verdicts.json").write_text(text, encoding="utf-8")
    return target / "verdicts.json"


def test_every_verdict_stands_in_the_table(tmp_path: Path) -> None:
    found = read_verdicts(stored(tmp_path))
    assert found.counts == {
        "reproduced": 2,
        "partly reproduced": 0,
        "contradicted": 1,
        "not resolved at this scale": 0,
        "out of reach": 0,
        "not run here": 1,
    }
    table = standing([found])
    assert "| x2024 | smoke | 2 | 0 | 1 | 0 | 0 | 1 |" in table
    assert "**contradicted**" in table and "**reproduced**" in table
    assert "a \\| hump \\<b\\>" in table and "needs streams" in table


def test_a_page_without_marker_and_a_folder_without_verdicts_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="marker"):
        page("no marker", tmp_path)
    with pytest.raises(UserError, match=r"no verdicts\.json"):
        page(MARKER, tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.pop("title"), "title"),
        (lambda d: d["claims"][0].update(verdict="proved"), "proved"),
        (lambda d: d["claims"][0].update(effect="much"), "effect"),
        (lambda d: d.update(format=2), "format"),
    ],
)
def test_damaged_verdicts_are_told_in_one_sentence(tmp_path: Path, change, told: str) -> None:  # type: ignore[no-untyped-def]
    path = stored(tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(UserError, match=told) as error:
        read_verdicts(path)
    assert "\n" not in str(error.value)


def test_csv_has_a_line_for_each_claim() -> None:
    lines = verdicts_csv("x2024", judge(CLAIMS, MEASURED)).splitlines()
    assert len(lines) == 1 + len(CLAIMS)
    assert lines[0].startswith("paper,claim,verdict,exploratory,effect,low,high,p_holm,seeds")
    assert lines[4].startswith("x2024,x-04,not run here,False,,,,,0,,waits")
