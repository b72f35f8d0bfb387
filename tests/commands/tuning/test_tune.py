"""``bench tune`` from what is asked to the file, with training played by tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from overopt.commands.arguments import resolve
from overopt.commands.tuning import tune as tuning
from overopt.commands.tuning.rates import read_rates
from overopt.errors import UserError
from overopt.report.stored.results import Results
from overopt.spec.run import RunSpec

from .test_choosing import points


@pytest.fixture()
def played(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """Runs whose proxy is the rate, and the specifications they were asked by."""
    asked: list[RunSpec] = []

    def read(folders: list[Path]) -> Results:
        factor = float(folders[0].name.removeprefix("rate-"))
        rows = [points({1: factor}).assign(method=one.name) for one in asked[-1].methods]
        return Results((), pd.concat(rows), ())

    monkeypatch.setattr(tuning, "read_results", read)
    return asked


def tune(
    asked: list[RunSpec],
    out: Path,
    *methods: str,
    proxy: str | None = None,
    factors: tuple[float, ...] = (1, 2),
) -> int:
    def run(spec: RunSpec, folder: Path) -> list[Path]:
        asked.append(spec)
        return [folder]

    return tuning.tune(methods, "tabular", proxy, factors, 1, out, resolve, run)


def test_every_method_that_trains_is_tried_at_every_rate_away_from_results(
    played: list[RunSpec], tmp_path: Path
) -> None:
    out = tmp_path / "rates.json"
    assert tune(played, out, "dpo", "bon", "dera") == 0
    assert [[(one.name, one.rate_factor) for one in spec.methods] for spec in played] == [
        [("dpo", 1.0)],
        [("dpo", 2.0)],
    ]
    assert {spec.worlds for spec in played} == {(2**31,)}
    assert {spec.seeds for spec in played} == {(2**31,)}
    assert read_rates(out).methods["dpo"].factor == 2.0


def test_a_rate_says_against_which_proxy_it_was_chosen(
    played: list[RunSpec], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rates.json"
    assert tune(played, out, "rloo") == tune(played, out, "ppo", proxy="uwo") == 0
    assert [spec.proxies[0].name for spec in played] == ["single", "single", "uwo", "uwo"]
    chosen = read_rates(out).methods
    assert (chosen["rloo"].proxy, chosen["ppo"].proxy) == ("single", "uwo")
    assert "--method ppo --task tabular --proxy uwo --kl-grid" in capsys.readouterr().out
    with pytest.raises(UserError, match="a rate is chosen against one proxy"):
        tune(played, out, "rloo", proxy="uwo,single")


def test_later_choices_join_the_file(played: list[RunSpec], tmp_path: Path) -> None:
    out = tmp_path / "rates.json"
    tune(played, out, "dpo")
    tune(played, out, "ipo")
    assert set(read_rates(out).methods) == {"dpo", "ipo"}
    with pytest.raises(UserError, match="another task, world, seeds or factors"):
        tune(played, out, "kto", factors=(1, 3))


def test_what_cannot_be_tried_is_one_sentence(played: list[RunSpec], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing here has a learning rate"):
        tune(played, tmp_path / "rates.json", "bon")
    with pytest.raises(UserError, match="two or more different numbers"):
        tune(played, tmp_path / "rates.json", "dpo", factors=(1, 1))
    assert not played
