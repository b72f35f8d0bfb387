"""Label noise by hand-made gold differences, and the file that the stage leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit
from scipy.stats import binom

from overopt.artifacts.labeling import prefer_a
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import Column, Table, read_json, write_json, write_table
from overopt.execution.contract import silent
from overopt.spec.noise import NoiseSpec
from overopt.spec.world import WorldSpec
from overopt.stages import labels
from overopt.worlds.contract import build
from overopt.worlds.tokens import EOS, Tokens

PAIRS = 20_000


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _differences() -> npt.NDArray[np.float64]:
    """Half of the pairs favor a, half b; none is tied."""
    return np.tile([0.5, -0.5, 2.0, -2.0], PAIRS // 4)


def _inside(count: int, pairs: int, chance: float) -> bool:
    """Whether a count lies in the central 99.99 % of the binomial."""
    return bool(binom.ppf(5e-5, pairs, chance) <= count <= binom.ppf(1 - 5e-5, pairs, chance))


def test_no_noise_is_the_gold() -> None:
    difference_P = _differences()
    assert (prefer_a(difference_P, NoiseSpec.parse("0"), _rng()) == (difference_P > 0)).all()


@pytest.mark.parametrize(("amount", "flips"), [("0.1", 2000), ("0.25", 5000), ("1", 20_000)])
def test_flips_are_exact_in_number(amount: str, flips: int) -> None:
    difference_P = _differences()
    first_P = prefer_a(difference_P, NoiseSpec.parse(amount), _rng())
    assert (first_P != (difference_P > 0)).sum() == flips


def test_flips_strike_all_pairs_alike_and_grow_with_the_amount() -> None:
    difference_P = _differences()
    few_P, many_P = (
        prefer_a(difference_P, NoiseSpec.parse(amount), _rng()) != (difference_P > 0)
        for amount in ("0.1", "0.35")
    )
    assert (many_P | ~few_P).all()  # the flips of less noise are among those of more
    for strength in (0.5, 2.0):
        of_these = np.abs(difference_P) == strength
        assert _inside(int(many_P[of_these].sum()), int(of_these.sum()), 0.35)


def test_random_relabeling_flips_half_of_what_it_touches() -> None:
    difference_P = _differences()
    first_P = prefer_a(difference_P, NoiseSpec.parse("random:0.5"), _rng())
    flipped = int((first_P != (difference_P > 0)).sum())
    assert flipped <= 10_000
    assert _inside(flipped, 10_000, 0.5)


def test_bradley_terry_labels_follow_the_sigmoid_of_difference_over_temperature() -> None:
    difference_P = _differences()
    first_P = prefer_a(difference_P, NoiseSpec.parse("bt:2"), _rng())
    for difference in (0.5, -0.5, 2.0, -2.0):
        of_these = difference_P == difference
        assert _inside(
            int(first_P[of_these].sum()), int(of_these.sum()), float(expit(difference / 2.0))
        )


def test_a_cold_temperature_is_the_gold_without_overflow() -> None:
    difference_P = _differences()
    first_P = prefer_a(difference_P, NoiseSpec.parse("bt:0.0005"), _rng())
    assert (first_P == (difference_P > 0)).all()


def test_heavy_tails_flip_clear_pairs_where_normal_errors_would_not() -> None:
    difference_P = np.full(PAIRS, 20.0)
    first_P = prefer_a(difference_P, NoiseSpec.parse("heavy:1"), _rng())
    # The difference of two t_2 variates exceeds x with a chance of about 2 / x^2 for large x:
    # each tail has 1 / (2 x^2), and four of them add up; half of those point the wrong way.
    wrong = int((~first_P).sum())
    assert 0.7 * PAIRS / 20**2 < wrong < 1.4 * PAIRS / 20**2


def test_heavy_noise_scales_with_its_amount() -> None:
    difference_P = np.ones(PAIRS)
    rates = [
        (~prefer_a(difference_P, NoiseSpec.parse(f"heavy:{amount}"), _rng())).mean()
        for amount in ("0.01", "0.3", "3", "1000")
    ]
    assert rates == sorted(rates)
    assert rates[0] < 0.001
    assert rates[-1] == pytest.approx(0.5, abs=4 * 0.5 / PAIRS**0.5)


@pytest.mark.parametrize("noise", ["0", "0.25", "random:0.5", "bt:1", "heavy:0.3"])
def test_ties_are_settled_by_a_coin(noise: str) -> None:
    first_P = prefer_a(np.zeros(PAIRS), NoiseSpec.parse(noise), _rng())
    assert _inside(int(first_P.sum()), PAIRS, 0.5)


@pytest.mark.parametrize("noise", ["0.25", "random:0.5", "bt:1", "heavy:0.3"])
def test_labels_are_a_function_of_the_generator(noise: str) -> None:
    spec, difference_P = NoiseSpec.parse(noise), _differences()
    first_P = prefer_a(difference_P, spec, _rng(1))
    assert (first_P == prefer_a(difference_P, spec, _rng(1))).all()
    assert (first_P != prefer_a(difference_P, spec, _rng(2))).any()


WORLD = WorldSpec(kind="tabular", seed=0, train_prompts=16, heldout_prompts=8)


def _pair_files(folder: Path, pairs: int) -> dict[str, Path]:
    """Artifacts of pairs in which every fourth pair is tied, a rule gold and a pool summary."""
    world = build(WORLD)
    rng = np.random.default_rng(0)
    inputs = {name: folder / name for name in ("pairs", "gold", "pool")}
    for path in inputs.values():
        path.mkdir(parents=True)
    write_json(inputs["gold"] / "gold.json", {"kind": "rule", "name": "rule"})
    write_json(inputs["pool"] / "summary.json", {"gold_mean": 0.0, "gold_sd": 1.0})
    for name in ("pairs", "heldout"):
        words_NT = rng.integers(4, 9, (2, pairs, 3))
        words_NT[1, ::4] = words_NT[0, ::4]
        a, b = (
            Tokens.from_padded(np.pad(side, ((0, 0), (0, 1)), constant_values=EOS))
            for side in words_NT
        )
        prompt_id = rng.integers(world.train_prompts.rows(), size=pairs)
        write_table(inputs["pairs"] / f"{name}.parquet", {"prompt_id": prompt_id, "a": a, "b": b})
    return inputs


def _label(inputs: dict[str, Path], out: Path, noise: str, seed: int = 0) -> Path:
    out.mkdir()
    params = {
        "world": WORLD.to_json(),
        "noise": NoiseSpec.parse(noise).to_json(),
        "preference": "gold",
        "seed": seed,
    }
    labels.run(params, inputs, out, silent)
    return out


def test_the_stage_records_the_realized_rate_among_pairs_that_differ(tmp_path: Path) -> None:
    inputs = _pair_files(tmp_path / "in", 400)
    out = _label(inputs, tmp_path / "out", "0.25")
    record = read_json(out / "labels.json")
    table = Table(out / "labels.parquet")
    differs_P = table.floats("gold_a") != table.floats("gold_b")
    said_P = table.integers("a_preferred").astype(bool)
    wrong_P = said_P != (table.floats("gold_a") > table.floats("gold_b"))
    assert record["noise"] == "0.25"
    assert record["comparisons"] == 400
    assert record["ties_of_gold"] == (~differs_P).sum() >= 100
    assert record["realized_flip_rate"] == pytest.approx(wrong_P[differs_P].mean())
    assert (table.integers("flipped").astype(bool) == (wrong_P & differs_P)).all()


def test_preferences_put_the_labeled_winner_first(tmp_path: Path) -> None:
    inputs = _pair_files(tmp_path / "in", 64)
    out = _label(inputs, tmp_path / "out", "0.25")
    world = build(WORLD)
    preferences, agrees_P = load_preferences(out, world)
    gold_chosen_P = world.gold(preferences.prompts, preferences.chosen)
    gold_rejected_P = world.gold(preferences.prompts, preferences.rejected)
    assert (agrees_P == (gold_chosen_P >= gold_rejected_P)).all()
    assert 0 < (~agrees_P).sum() <= 16
    heldout = load_preferences(out, world, "heldout")
    assert heldout.agrees_P.all()


def test_no_rate_is_made_up_where_all_pairs_are_tied(tmp_path: Path) -> None:
    inputs = _pair_files(tmp_path / "in", 8)
    table = Table(inputs["pairs"] / "pairs.parquet")
    a = table.tokens("a")
    columns: dict[str, Column] = {"prompt_id": table.integers("prompt_id"), "a": a, "b": a}
    write_table(inputs["pairs"] / "pairs.parquet", columns)
    record = read_json(_label(inputs, tmp_path / "out", "0.25") / "labels.json")
    assert record["realized_flip_rate"] is None
    assert record["ties_of_gold"] == 8


def test_the_stage_is_deterministic_and_moves_with_the_seed(tmp_path: Path) -> None:
    inputs = _pair_files(tmp_path / "in", 64)
    files = [
        (_label(inputs, tmp_path / name, "0.25", seed) / "labels.parquet").read_bytes()
        for name, seed in (("one", 0), ("two", 0), ("three", 1))
    ]
    assert files[0] == files[1] != files[2]
