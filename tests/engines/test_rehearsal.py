"""A rehearsal finds what shapes and numbers give away, and lets every shipped one pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.catalog import lookup, systems
from overopt.engines.rehearsals.method import rehearse
from overopt.errors import UserError
from own import COOLED, SHOWN, STEPPED


@pytest.mark.parametrize("name", lookup.shipped("methods"))
def test_shipped_methods_pass(name: str) -> None:
    rehearse(systems.method(name))


WRONG = [
    ("dpo", "return -logsigmoid(config.beta * margin_B)", "return margin_B[:, None] * 1.0",
     r"loss returns shape \(3, 1\) for 3 pairs of up to 5 tokens; it must be \(3,\)"),
    ("dpo", "return -logsigmoid(config.beta * margin_B)", "return (margin_B - margin_B) / 0",
     "loss returns NaN or infinity"),
    ("dpo", "return -logsigmoid(config.beta * margin_B)", "return margin_B.nope",
     r"line \d+: loss: AttributeError: 'Tensor' object has no attribute 'nope'"),
    ("dpo", "return -logsigmoid(config.beta * margin_B)", "return margin_B.tolist()",
     "loss returns a list, not a Tensor"),
    ("dpo", "return -logsigmoid(config.beta * margin_B)",
     "return (margin_B - margin_B.detach()).abs().sqrt()", "gradient of loss returns NaN"),
    ("dpo", "from torch import Tensor", "from torch import Tensr", "importing it: ImportError"),
    ("rloo", "def advantages(config: Config, rollout: Rollout) -> Tensor:",
     "def advantages(config: Config, rollout: Rollout) -> Tensor:\n"
     "    return rollout.reward_BN.mean(1)\n",
     r"advantages returns shape \(3,\) for 3 prompts of 4 samples of up to 5 tokens"),
    ("superhf", "return KeptRows(", "return list(", "build returns a list, not a KeptRows"),
    ("bon", "def samples_used(config: Config, pool_samples: int, knob: float) -> int:",
     "def samples_used(config: Config, pool_samples: int, knob: float) -> int:\n    return 0\n",
     "samples_used returns 0, not a count from 1"),
    ("bon", "def weights(config: Config, pool: ScoredPool, knob: float)"
     " -> npt.NDArray[np.float64]:",
     "def weights(config: Config, pool: ScoredPool, knob: float)"
     " -> npt.NDArray[np.float64]:\n    return np.abs(pool.proxy_BN)\n", "sum to 1"),
    ("bon", "return best_of_n.weights(pool.proxy_BN, int(knob))", "return pool.proxy_BN[0]",
     r"unbiased_weights returns shape \(64,\) for 3 rows with 64 samples each"),
    ("soft-bon", "return config.n", "return 0.5", "draw_size returns 0.5, not a count from 0"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "said"), WRONG)
def test_a_wrong_method_is_told(name: str, old: str, new: str, said: str, tmp_path: Path) -> None:
    text = lookup.files("methods")[name].read_text(encoding="utf-8")
    path = tmp_path / f"my_{name}.py"
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert old in text
    with pytest.raises(UserError, match=said) as told:
        rehearse(systems.method(str(path)))
    assert str(told.value).startswith(str(path))


def test_a_method_that_only_draws_is_tried_within_draws(tmp_path: Path) -> None:
    text = lookup.files("methods")["soft-bon"].read_text(encoding="utf-8")
    start, end = text.index("def weights("), text.index("def samples_used(")
    path = tmp_path / "mine.py"
    drawing = text[:start] + text[end:]
    path.write_text(drawing.replace("return config.n\n", "return 5\n"), encoding="utf-8")
    rehearse(systems.method(str(path)))
    path.write_text(drawing, encoding="utf-8")
    with pytest.raises(UserError, match="draw_size returns 0, so that nothing is drawn"):
        rehearse(systems.method(str(path)))
    half = drawing.replace("return config.n\n", "return 5\n").replace(
        "np.asarray(softmax", "(softmax"
    )
    path.write_text(half.replace(", np.float64)\n", " / 2)\n", 1), encoding="utf-8")
    with pytest.raises(UserError, match="draw_weights are probabilities"):
        rehearse(systems.method(str(path)))
    path.write_text(drawing.replace("def draw_size", "def draw_sizes"), encoding="utf-8")
    with pytest.raises(UserError, match=r"draw_weights defines draw_size\(config, knob\)"):
        systems.method(str(path))
    path.write_text(drawing.replace("def draw_weights", "def draw"), encoding="utf-8")
    with pytest.raises(UserError, match=r"without draw_weights defines weights\(config, pool"):
        systems.method(str(path))


OWN_WRONG = [
    (SHOWN, "rollout.opponent_row_BM[:, 0])", "rollout.opponent_row_BM[:, 0] + 20)",
     "build returns rows outside of 0 to 26 for 3 prompts of 4 samples, with what INPUTS names"),
    (SHOWN, 'INPUTS = ("demonstrations", "reference_samples")', 'INPUTS = ("demonstrations",)',
     r"line \d+: build: ValueError: an opponent was not computed"),
    (COOLED, "return 1.0 + (config", "return 0.0 * (config",
     r"temperature: ValueError: mine: temperature returns \S+, not a number above 0"),
    (COOLED, "def temperature(config: Config, memory: int)", "def temperature(config: Config)",
     r"temperature is called as temperature\(config, memory\), but the file.s takes 1 arg"),
    (STEPPED, 'INPUTS = ("step_rewards",)', "INPUTS = ()",
     r"line \d+: advantages: ValueError: step_rewards was not computed"),
]  # fmt: skip


@pytest.mark.parametrize(("shipped", "old", "new", "said"), OWN_WRONG)
def test_what_stands_beside_the_samples_is_tried_too(
    shipped: Path, old: str, new: str, said: str, tmp_path: Path
) -> None:
    rehearse(systems.method(str(shipped)))
    text = shipped.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.py"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        rehearse(systems.method(str(path)))
