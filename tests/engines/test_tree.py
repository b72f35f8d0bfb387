"""A tree search against laws that are known: soft bests, and what its own runs count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import tiny
from overopt.catalog import systems
from overopt.engines.method.search import OpenedSearch
from overopt.engines.particles.filter import Answers
from overopt.engines.particles.likelihood import Ratios, ratios
from overopt.engines.particles.tree import Forest, TreeSearch
from overopt.engines.rehearsals.method import rehearse
from overopt.errors import UserError
from overopt.methods.selection import mcts
from overopt.stats.pools import soft_best_of_n
from overopt.worlds.tokens import EOS

from .test_particles import LISTED, POLICY, PROMPT, REFERENCE_R, number, reward

SCORE_R = reward(PROMPT, LISTED)


def search(**config: Any) -> TreeSearch:
    functions: Any = mcts
    method = OpenedSearch(functions, mcts.Config(**config))
    return TreeSearch(method, POLICY, reward, reward, tiny.RESPONSE_TOKENS, (EOS,))


def answer(run: TreeSearch, runs: int, temperature: float, seed: int = 0) -> Answers:
    generator = torch.Generator().manual_seed(seed)
    asked = PROMPT.take(np.zeros(runs, np.int64))
    return run.run(asked, temperature, generator, np.random.default_rng(seed))


def found(run: TreeSearch, answers: Answers, temperature: float, lineages: int) -> Ratios:
    generator, rng = torch.Generator().manual_seed(9), np.random.default_rng(9)
    asked = PROMPT.take(np.zeros(answers.responses.rows(), np.int64))
    return ratios(run, asked, answers, temperature, lineages, generator, rng)


def test_one_walk_of_one_step_is_soft_best_of_its_branches() -> None:
    run, runs, temperature = search(rollouts=1, branch=3, steps=1), 4000, 0.6
    expected = soft_best_of_n.policy(SCORE_R[None], REFERENCE_R[None], 3, temperature)[0]
    answers = answer(run, runs, temperature)
    share_R = tiny.count(answers.responses, LISTED) / runs
    error_R = np.sqrt(expected * (1 - expected) / runs)
    assert (np.abs(share_R - expected) < 4.5 * error_R + 1e-6).all()
    some = Answers(answers.responses.take(np.arange(60)), answers.log_share_R[:60])
    log_R = found(run, some, temperature, 200).log_R
    expected_log = np.log(expected / REFERENCE_R)[number(some.responses)]
    assert (log_R - expected_log).mean() == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_search_that_prefers_nothing_is_the_initial_policy(seed: int) -> None:
    """Walks go where values are high, but the last leaf is drawn as the tree would grow."""
    run = search(rollouts=5, branch=2, steps=2)
    answers = answer(run, 4000, 1e9, seed)
    assert answers.log_share_R == pytest.approx(np.zeros(4000), abs=1e-6)
    share_R = tiny.count(answers.responses, LISTED) / 4000
    error_R = np.sqrt(REFERENCE_R * (1 - REFERENCE_R) / 4000)
    assert (np.abs(share_R - REFERENCE_R) < 4.5 * error_R + 1e-6).all()


def test_a_node_is_one_block_longer_than_its_parent_and_nothing_follows_an_end() -> None:
    """With three steps or more, walks of one call grow leaves of several depths."""
    run = search(rollouts=6, branch=2, steps=tiny.RESPONSE_TOKENS)
    generator, rng = torch.Generator().manual_seed(1), np.random.default_rng(1)
    trees = run.grow(PROMPT.take(np.zeros(200, np.int64)), generator, rng)
    there_RM = np.arange(trees.used_R.max()) < trees.used_R[:, None]
    length_RM, row_R1 = trees.length_RM, np.arange(200)[:, None]
    grown_RM = length_RM - length_RM[row_R1, trees.parent_RM]
    assert set(grown_RM[:, 1:][there_RM[:, 1:]]) == {1}
    ends_RMT = trees.ids_RMT == EOS
    before_RMT = np.arange(ends_RMT.shape[2]) < length_RM[:, :, None] - 1
    assert ends_RMT.any() and not (ends_RMT & before_RMT).any()
    assert len(np.unique(trees.depth_RM[there_RM])) >= 4
    answers = answer(run, 400, 0.5).responses
    ends_RT = (answers.ids_NT == EOS) & answers.mask_NT
    assert (ends_RT.sum(axis=1) <= 1).all()
    assert ends_RT.any() and not ends_RT[:, :-1][answers.mask_NT[:, 1:]].any()


def test_ratios_are_those_of_the_answers_that_are_counted() -> None:
    """A search of several walks: what its conditional runs say, and how often answers come."""
    run, runs, temperature = search(rollouts=4, branch=2, steps=2), 6000, 0.4
    answers = answer(run, runs, temperature)
    count_R = tiny.count(answers.responses, LISTED)
    often = np.flatnonzero(count_R >= 100)
    assert len(often) >= 6
    place_A = number(answers.responses)
    first = np.array([np.flatnonzero(place_A == r)[0] for r in often])
    some = Answers(answers.responses.take(first), answers.log_share_R[first])
    told = found(run, some, temperature, 300).log_R
    counted = np.log(count_R[often] / runs / REFERENCE_R[often])
    assert told == pytest.approx(counted, abs=0.3)
    assert (told - counted).mean() == pytest.approx(0.0, abs=0.05)
    assert counted.max() > 0.7  # far from the initial policy
    # every answer's inverse ratio is unbiased: 1 in the mean over answers
    each = Answers(answers.responses.take(np.arange(400)), answers.log_share_R[:400])
    inverse_R = found(run, each, temperature, 12).inverse_R
    assert inverse_R.mean() == pytest.approx(1.0, abs=5 * inverse_R.std() / 20)


def test_a_visit_weighs_the_children_anew_on_the_whole_way_up_by_hand() -> None:
    """Root 0 with children 1 (.9) and 2 (.2); 1 has children 3 (1) and 4 (-.5)."""
    trees = Forest(1, 5, tiny.RESPONSE_TOKENS)
    trees.used_R[:] = 5
    trees.first_RM[0, :2] = 1, 3
    trees.parent_RM[0] = 0, 0, 0, 1, 1
    trees.value_RM[0] = 0.0, 0.9, 0.2, 1.0, -0.5
    run = search(branch=2)
    expected = [
        # visited, V of root and 1 then, visits of all five
        (0, 0.0, 0.9, [1, 0, 0, 0, 0]),  # no child has been visited: both stay
        (1, 0.9, 0.9, [2, 1, 0, 0, 0]),
        (2, (0.9 + 0.2) / 2, 0.9, [3, 1, 1, 0, 0]),
        (3, (2 * 1.0 + 0.2) / 3, 1.0, [4, 2, 1, 1, 0]),
        (3, (3 * 1.0 + 0.2) / 4, 1.0, [5, 3, 1, 2, 0]),
        (4, (4 * 0.5 + 0.2) / 5, (2 * 1.0 - 0.5) / 3, [6, 4, 1, 2, 1]),
    ]
    for node, root, inner, visits in expected:
        run._back_up(trees, np.array([node]))
        assert trees.value_RM[0] == pytest.approx([root, inner, 0.2, 1.0, -0.5])
        assert trees.visits_RM[0].tolist() == visits


def test_values_go_up_as_means_of_visited_children() -> None:
    run = search(rollouts=9, branch=2, steps=3)
    generator, rng = torch.Generator().manual_seed(1), np.random.default_rng(1)
    trees = run.grow(PROMPT.take(np.zeros(40, np.int64)), generator, rng)
    uneven = 0
    for value_M, visits_M, first_M in zip(
        trees.value_RM, trees.visits_RM, trees.first_RM, strict=True
    ):
        assert visits_M[0] == 9
        for node in np.flatnonzero(first_M):
            children = slice(first_M[node], first_M[node] + 2)
            if visits_M[children].sum():
                mean = np.average(value_M[children], weights=visits_M[children])
                assert value_M[node] == pytest.approx(mean)
                uneven += abs(mean - value_M[children].mean()) > 0.05
    assert uneven > 40  # the plain mean would be another value


def test_an_answer_costs_its_branches() -> None:
    assert search(rollouts=8, branch=3, steps=3).count == 24


@pytest.mark.parametrize(
    ("found_", "put", "said"),
    [
        (
            "return upper_bound(children, config.exploration, config.unvisited)",
            "return np.sort(children.value_RC)",
            "on the order",
        ),
        (
            "return np.asarray(value_RL / knob",
            "return np.asarray(value_RL.sum(1)",
            "one number for",
        ),
        ("branch: int = param(3", "branch: int = param(0", "must be int >= 1"),
    ],
)
def test_mistakes_are_told(found_: str, put: str, said: str, tmp_path: Path) -> None:
    text = Path(mcts.__file__).read_text(encoding="utf-8")
    assert found_ in text
    path = tmp_path / "mine.py"
    path.write_text(text.replace(found_, put), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        rehearse(systems.method(str(path)))
