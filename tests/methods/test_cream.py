from __future__ import annotations

from typing import Any

import pytest
import torch

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import cream
from tabular_optima import table


def rollout(**logps: list[float]) -> Rollout:
    """One prompt's samples of two tokens each: all log-probability lies on the first."""
    parts = {name: torch.tensor([[[v, 0.0] for v in value]]) for name, value in logps.items()}
    mask = torch.ones_like(parts["policy_logp"])
    return Rollout(torch.zeros(mask.shape[:2]), Reading(mask=mask, **parts), {})


def build(seen: Rollout, **config: Any) -> tuple[list[int], list[int], list[float]]:
    built = cream.build(cream.Config(**config), seen)
    assert built.label_P is not None
    return built.chosen_P.tolist(), built.rejected_P.tolist(), built.label_P.tolist()


def test_kendalls_tau_by_hand() -> None:
    """Of the three pairs of ranks (1, 2, 3) and (1, 3, 2) two agree and one does not."""
    ranks = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    other = torch.tensor([[1.0, 3.0, 2.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert cream.kendall_tau(ranks, other).tolist() == pytest.approx([1 / 3, -1.0, 1.0])


def test_equal_scores_rank_in_the_samples_order() -> None:
    """A ranking agrees with itself. Ranks (1, 2, 3) of three equal scores and (3, 1, 2) of others
    agree in one pair of three."""
    tied = torch.tensor([[-1.0, -1.0, -2.0, -3.0], [0.0, 0.0, 0.0, 0.0]])
    assert cream.kendall_tau(tied, tied).tolist() == [1.0, 1.0]
    found = cream.kendall_tau(torch.zeros(1, 3), torch.tensor([[0.3, 0.1, 0.2]]))
    assert found.item() == pytest.approx(-1 / 3)


def test_likelihood_ranks_until_the_policy_has_moved() -> None:
    first = rollout(policy_logp=[-2.0, -1.0, -3.0], reference_logp=[-2.0, -1.0, -3.0])
    assert build(first) == ([1], [2], [1.0])
    # own log-ratios .5, 0, -.5: ranks (3, 2, 1); likelihoods -2, -1, -3 rank (2, 3, 1)
    second = rollout(policy_logp=[-1.5, -1.0, -3.5], reference_logp=[-2.0, -1.0, -3.0])
    chosen, rejected, (consistency,) = build(second)
    assert (chosen, rejected) == ([0], [2])
    assert consistency == pytest.approx((1 / 3 + 1) / 2)


def test_the_last_rounds_policy_ranks_once_it_has_moved() -> None:
    third = rollout(
        policy_logp=[-1.5, -1.0, -3.5],
        reference_logp=[-2.0, -1.0, -3.0],
        anchor_logp=[-2.1, -1.0, -2.0],  # log-ratios -.1, 0, 1: the reverse order
    )
    assert build(third)[2] == [0.0]


def test_consistency_is_of_a_round_or_of_a_prompt() -> None:
    two = rollout(policy_logp=[-1.5, -1.0, -3.5], reference_logp=[-2.0, -1.0, -3.0])
    agreeing = rollout(policy_logp=[-2.0, 0.0, -4.0], reference_logp=[-2.0, -1.0, -3.0])
    both = two._replace(
        reward_BN=torch.zeros(2, 3),
        sampled=Reading(
            *(torch.cat([a, b]) for a, b in zip(two.sampled[:3], agreeing.sampled[:3], strict=True))
        ),
    )
    assert build(both, per_prompt=True)[2] == pytest.approx([2 / 3, 1.0])
    assert build(both)[2] == pytest.approx([5 / 6, 5 / 6])


def test_a_prompt_that_makes_no_pair_has_no_say_in_the_consistency() -> None:
    """The first prompt's samples are all one; the second's likelihoods rank as they ever did."""
    same, ranked = [-1.0, -1.0, -1.0], [-2.0, -1.0, -3.0]
    logp = torch.tensor([same, ranked])[:, :, None]
    seen = Rollout(torch.zeros(2, 3), Reading(logp, logp, torch.ones_like(logp)), {})
    assert build(seen) == ([4], [5], [1.0])


def test_loss_by_hand() -> None:
    """z = .4: .75 log(1 + e^-.4) + .25 log(1 + e^.4) = .6130; with C = 2/3 it is .6463."""
    zero, mask = torch.zeros(2, 1), torch.ones(2, 1)
    label = torch.tensor([0.75, 2 / 3])
    chosen = Reading(zero + 4.0, zero - 9.0, mask, sampled_logp=zero, label=label)
    rejected = Reading(zero, zero - 1.0, mask, sampled_logp=zero, label=label)
    found = cream.loss(cream.Config(beta=0.1), SamplePairs(chosen, rejected))
    assert found.tolist() == pytest.approx([0.6130, 0.6463], abs=5e-5)


@pytest.mark.parametrize("consistency", [0.5, 0.8])
def test_the_optimum_of_a_pair_is_the_log_odds_of_its_consistency(consistency: float) -> None:
    """beta times the margin over the round's first policy is log(C / (1 - C)): 0 for C = 1/2."""
    start_R = torch.log(torch.tensor([0.6, 0.4], dtype=torch.float64))
    config = cream.Config(beta=0.5)
    label_RR = torch.tensor([[0.5, consistency], [1 - consistency, 0.5]], dtype=torch.float64)

    def loss(logits_R: torch.Tensor) -> torch.Tensor:
        logp_R = torch.log_softmax(logits_R, -1)
        pairs = table.fresh_pairs(logp_R, start_R, torch.zeros(2, dtype=torch.float64))
        return cream.loss(config, table.labeled(pairs, label_RR)).sum()

    ratio_R = table.minimize(loss, start_R) - start_R
    odds = torch.logit(torch.tensor(consistency, dtype=torch.float64))
    assert 0.5 * (ratio_R[0] - ratio_R[1]).item() == pytest.approx(odds.item(), abs=1e-5)


def test_the_anchor_is_the_policy_that_started_the_last_round() -> None:
    """Which in the first round need not be the initial one."""
    config = cream.Config()
    initial, first, second, end = ({"w": torch.tensor(float(number))} for number in range(4))
    begun = cream.before_steps(config, cream.begin(config, initial), first, 1)
    assert begun.anchor is None and begun.weights is None
    over = cream.after_round(config, begun.memory, second, 1)
    assert over.anchor == first and over.weights is None
    begun = cream.before_steps(config, over.memory, second, 2)
    assert cream.after_round(config, begun.memory, end, 2).anchor == second
