from __future__ import annotations

from functools import partial

import pytest
import torch

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import StateShape
from overopt.methods.iterative import famo2o, phf_awr
from overopt.methods.math.actor_critic import ValueHead

from . import corpus, fresh
from .three_responses import LOG_REFERENCE_R, REWARD_R


def labels(built: KeptRows) -> list[float]:
    assert built.label_K is not None
    found: list[float] = built.label_K.tolist()
    return found


def test_coefficients_by_hand() -> None:
    """Rewards 0 and 1: members .5 and 1 have means .6225, .7311, so p(1) = 1/(1 + e^-1.086).

    Rewards that are equal have nothing to gain: the mean of the grid, .75.
    """
    config = famo2o.Config(highest=1.0, lowest_share=0.5, levels=2, entropy=0.1)
    built = famo2o.build(config, corpus.beside(torch.tensor([[0.0, 1.0], [3.0, 3.0]])))
    assert built.row_K.tolist() == [4, 5, 6, 7] and built.weight_K is not None
    assert built.weight_K.tolist() == [0.0, 1.0, 3.0, 3.0]
    assert labels(built) == pytest.approx([0.87382, 0.87382, 0.75, 0.75], abs=5e-5)


@pytest.mark.parametrize(("entropy", "expected"), [(1e-4, 2.0), (1e6, 1.2)])
def test_the_entropy_spans_from_the_top_of_the_range_to_its_middle(
    entropy: float, expected: float
) -> None:
    config = famo2o.Config(highest=2.0, lowest_share=0.2, entropy=entropy)
    built = famo2o.build(config, corpus.beside(torch.tensor([[0.0, 1.0]])))
    assert labels(built) == pytest.approx([expected] * 2, abs=1e-3)


def test_one_coefficient_is_phf_awr() -> None:
    config = famo2o.Config(highest=0.5, lowest_share=1.0, largest_weight=1000.0)
    base = phf_awr.Config(temperature=2.0)
    rollout = corpus.beside(torch.tensor([[1.0, 3.0], [2.0, 0.0]]))
    built, expected = famo2o.build(config, rollout), phf_awr.build(base, rollout)
    assert torch.equal(built.row_K, expected.row_K)
    logp = torch.tensor([[-0.5, -1.0], [-2.0, 0.0], [-0.3, -0.1], [-1.0, -4.0]])
    batch = Reading(logp, torch.zeros_like(logp), (logp < 0).float())._replace(
        output=torch.linspace(-1, 1, 8).view(4, 2, 1), weight=built.weight_K, label=built.label_K
    )
    assert torch.allclose(famo2o.loss(config, batch), phf_awr.loss(base, batch), rtol=1e-6)


def test_weights_are_cut() -> None:
    config = famo2o.Config(policy_share=1.0)
    batch = Reading(-torch.ones(1, 1), torch.zeros(1, 1), torch.ones(1, 1))._replace(
        output=torch.zeros(1, 1, 1), weight=torch.tensor([9.0]), label=torch.tensor([1.0])
    )
    assert famo2o.loss(config, batch).item() == pytest.approx(100.0)


def test_the_optimum_is_the_data_tilted_by_the_prompts_coefficient() -> None:
    config = famo2o.Config(highest=1.5)
    rollout = corpus.beside(REWARD_R[corpus.DRAWN_N][None], own=1)
    label_K = torch.tensor(labels(famo2o.build(config, rollout)), dtype=torch.float64)
    assert 0.3 < label_K[0] < 1.5
    found = corpus.optimum(
        partial(famo2o.build, config),
        partial(famo2o.loss, config),
        lambda reading: reading._replace(output=torch.zeros(10, 1, 1), label=label_K),
    )
    tilted_R = fresh.tilted(LOG_REFERENCE_R, REWARD_R * label_K[0]).exp()
    assert found == pytest.approx(tilted_R.tolist(), abs=1e-5)


def test_the_value_head_is_trained_at_its_own_rate() -> None:
    config = famo2o.Config(value_rate=3.0)
    assert famo2o.training(config).module_rate == 3.0
    assert isinstance(famo2o.make_module(config, StateShape(2, 4)), ValueHead)
