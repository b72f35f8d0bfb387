"""What a rehearsal finds in a reward-side system, and that it lets every shipped one pass."""

from __future__ import annotations

from pathlib import Path

import pytest

import systems as systems_of_tests
from overopt.catalog import lookup, systems
from overopt.engines.rehearsals.method import rehearse
from overopt.errors import UserError


@pytest.mark.parametrize("name", lookup.shipped("proxies"))
def test_shipped_proxies_pass(name: str) -> None:
    rehearse(systems.proxy(name))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("score_MN.mean()", r"combine returns shape \(\) for the scores of 1 members"),
        ("score_MN", r"it must be \(7,\)"),
        ("score_MN[0] * float('nan')", "combine returns NaN"),
        ("score_MN[5]", "combine: IndexError"),
        ("score_MN[0] + 1j", "combine: TypeError: mine: combine returns complex128, not real num"),
        ("score_MN[0].astype(str)", "combine: TypeError: mine: combine returns .*, not real num"),
    ],
)
def test_a_wrong_proxy_is_told(answer: str, said: str, tmp_path: Path) -> None:
    text = lookup.files("proxies")["single"].read_text(encoding="utf-8")
    head = text[: text.index("def combine(")]
    path = tmp_path / "mine.py"
    path.write_text(f"{head}def combine(config, score_MN):\n    return {answer}\n")
    with pytest.raises(UserError, match=said):
        rehearse(systems.proxy(str(path)))


def test_a_reversed_view_is_a_reward_as_any_other(tmp_path: Path) -> None:
    text = lookup.files("proxies")["single"].read_text(encoding="utf-8")
    head = text[: text.index("def combine(")]
    path = tmp_path / "mine.py"
    path.write_text(f"{head}def combine(config, score_MN):\n    return score_MN[0, ::-1]\n")
    rehearse(systems.proxy(str(path)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("return Both(shape.width)", "return nn.Linear(shape.width, 1)", "module of make_head"),
        ("return Both(shape.width)", "return shape.width", "make_head returns a int, not a Module"),
        ("        return torch.cat(", "        return torch.stack(", "make_head returns shape"),
        ("+ prompt_B1, prompt_B1]", "+ torch.rand(()), prompt_B1]", "draw at random in training"),
        ("batch.chosen_P - batch.rejected_P", "batch.chosen_P", "rewards of both sides"),
        ("moved_P**2", "moved_P / 0", "loss returns NaN"),
        ("batch.chosen.logp_PT", "batch.chosen.logp", "loss: AttributeError"),
    ],
)
def test_a_wrong_head_or_its_loss_is_told(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = systems_of_tests.path("headed").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        rehearse(systems.proxy(str(tmp_path / "mine.py")))


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (".sum()", "score has shape"),
        (".sum(-1) / 0", "score returns NaN"),
        (".nothing", "score: AttributeError"),
    ],
)
def test_a_wrong_score_is_told(new: str, said: str, tmp_path: Path) -> None:
    text = systems_of_tests.path("paired").read_text(encoding="utf-8")
    (tmp_path / "mine.py").write_text(text.replace(".sum(-1)", new), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        rehearse(systems.proxy(str(tmp_path / "mine.py")))


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("np.ones(pairs, bool)", r"asks gold for 7 labels; its budget is 0"),
        ("np.zeros(pairs)", r"returns float64 of shape \(7,\) for 7 pairs"),
        ("np.zeros(3, bool)", r"returns bool of shape \(3,\) for 7 pairs"),
        ("features.nothing", "route: AttributeError"),
    ],
)
def test_a_wrong_route_is_told(new: str, said: str, tmp_path: Path) -> None:
    text = systems_of_tests.path("routed").read_text(encoding="utf-8")
    old = "np.asarray(mask_P, np.bool_)"
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        rehearse(systems.proxy(str(tmp_path / "mine.py")))


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("copy_(both_BD)", "settle: RuntimeError"),
        ("copy_(both_BD.mean(0) / 0)", "module of make_head after settle returns NaN"),
    ],
)
def test_a_wrong_settle_is_told(new: str, said: str, tmp_path: Path) -> None:
    text = systems_of_tests.path("settled").read_text(encoding="utf-8")
    old = "copy_(both_BD.mean(0))"
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        rehearse(systems.proxy(str(tmp_path / "mine.py")))


@pytest.mark.parametrize(
    "name", ["averaged", "headed", "labeled", "routed", "paired", "compared", "settled"]
)
def test_the_systems_of_the_tests_pass(name: str) -> None:
    rehearse(systems.proxy(str(systems_of_tests.path(name))))


HEAD = """from dataclasses import dataclass
import torch
from overopt.proxies.contract.members import MemberTraining
from overopt.spec.declare import param

@dataclass(frozen=True)
class Config:
    members: int = param(2, help="reward models", at_least=1)

"""


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("def merge(config, weights):\n    return {}\n", "merge returns weights of other names"),
        ("def merge(config, weights):\n    return list(weights)\n", "merge returns a list"),
        (
            "def merge(config, weights):\n    return {k: v / 0 for k, v in weights[0].items()}\n",
            "merge returns NaN",
        ),
        ("def merge(config, weights):\n    return weights[2]\n", "merge: IndexError"),
        ("def vary(config, member):\n    return MemberTraining(rate=0.0)\n", "rate is above 0"),
        ("def vary(config, member):\n    return 1 / 0\n", "vary: ZeroDivisionError"),
    ],
)
def test_wrong_members_are_told(function: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HEAD + function)
    with pytest.raises(UserError, match=said):
        rehearse(systems.proxy(str(path)))
