from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from overopt.artifacts.control_proxy import draws
from overopt.catalog import systems
from overopt.errors import UserError
from overopt.proxies import control_constant, control_gold, control_longest, control_random
from overopt.proxies.contract.controls import Seen
from overopt.worlds.tokens import Tokens


def _seen(gold: bool) -> Seen:
    return Seen(np.array([3.0, 9.0]), np.array([-1.0, 0.5]), np.array([7.0, 2.0]) if gold else None)


def test_each_control_scores_by_its_rule() -> None:
    assert control_longest.judge(control_longest.Config(), _seen(False)).tolist() == [3.0, 9.0]
    assert control_random.judge(control_random.Config(), _seen(False)).tolist() == [-1.0, 0.5]
    assert control_constant.judge(control_constant.Config(), _seen(False)).tolist() == [0.0, 0.0]
    assert control_gold.judge(control_gold.Config(), _seen(True)).tolist() == [7.0, 2.0]
    with pytest.raises(ValueError, match="was not given it"):
        control_gold.judge(control_gold.Config(), _seen(False))


def test_only_one_control_declares_gold() -> None:
    told = {name: systems.proxy(f"control-{name}").uses_gold
            for name in ("gold", "longest", "random", "constant")}  # fmt: skip
    assert told == {"gold": "training", "longest": "none", "random": "none", "constant": "none"}


def _tokens(rows: list[list[int]]) -> Tokens:
    return Tokens.from_flat(np.concatenate(rows).astype(np.int32), np.array(list(map(len, rows))))


def test_a_draw_belongs_to_prompt_response_and_seed() -> None:
    responses = _tokens([[5, 6, 3], [5, 6, 3], [6, 5, 3], [5, 6, 3]])
    prompts = _tokens([[1, 8, 2], [1, 8, 2], [1, 8, 2], [1, 9, 2]])
    first, again, order, prompt = draws(prompts, responses, 0)
    assert first == again
    assert len({first, order, prompt, draws(prompts, responses, 1)[0]}) == 4


def test_draws_are_normal_and_say_nothing_of_length_or_each_other() -> None:
    rng = np.random.default_rng(0)
    rows = [[*rng.integers(4, 40, size=1 + k % 12).tolist(), 3] for k in range(4000)]
    same = _tokens([[1, 7, 2]] * len(rows))
    draw_N = draws(same, _tokens(rows), 3)
    distinct = np.unique(draw_N)
    assert len(distinct) > 3500  # short responses repeat
    assert kstest(distinct, "norm").pvalue > 0.01
    length_N = np.array([len(row) for row in rows[1000:]])
    assert abs(np.corrcoef(draw_N[1000:], length_N)[0, 1]) < 0.06
    assert abs(np.corrcoef(draw_N, draws(same, _tokens(rows), 4))[0, 1]) < 0.06


OWN = '''"""Own."""
from dataclasses import dataclass
from overopt.spec.declare import param

@dataclass(frozen=True)
class Config:
    members: int = param(1, help="one", at_least=1)

def judge(config, seen):
    return seen.length_N

def loss(config, batch):
    return batch.rejected_P - batch.chosen_P
'''


def test_a_rule_trains_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    with pytest.raises(UserError, match="judge scores by a rule, and nothing is trained"):
        systems.proxy(str(tmp_path / "mine.py"))
