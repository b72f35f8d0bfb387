from typing import Any

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.pairs import dpo
from overopt.proxies.contract.policies import PolicyReading
from overopt.proxies.implicit import Config, score

REFERENCE_BR = torch.tensor([[0.4, 0.3, 0.2, 0.1], [0.1, 0.1, 0.1, 0.7]], dtype=torch.float64).log()
REWARD_BR = torch.tensor([[1.0, -0.5, 0.25, 2.0], [0.3, 0.0, -1.5, 0.7]], dtype=torch.float64)
"""Two prompts with four responses each, every one a single token."""


def read(policy_N: Tensor, reference_N: Tensor) -> PolicyReading:
    return PolicyReading(policy_N[:, None], reference_N[:, None], torch.ones(len(policy_N), 1) > 0)


def test_score_by_hand() -> None:
    # log-ratios 1, -.5 and 1.5 sum to 2, that is -10 against -12; times .05
    policy = torch.tensor([[-3.0, -4.0, -3.0, 0.0]])
    reference = torch.tensor([[-4.0, -3.5, -4.5, 0.0]])
    mask = torch.tensor([[True, True, True, False]])
    found = score(Config(beta=0.05), PolicyReading(policy, reference, mask))
    assert found.tolist() == pytest.approx([0.1])


def test_a_policy_that_has_not_moved_gives_no_reward() -> None:
    same = REFERENCE_BR.flatten()
    assert not score(Config(), read(same, same)).any()


@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_the_optimal_policy_of_a_reward_gives_it_back_up_to_a_term_of_the_prompt(
    beta: float,
) -> None:
    """pi = pi_ref exp(r / beta) / Z: the score is r - beta log Z, and Z is the prompt's."""
    tilted_BR = REFERENCE_BR + REWARD_BR / beta
    policy_BR = tilted_BR.log_softmax(dim=1)
    found_BR = score(Config(beta=beta), read(policy_BR.flatten(), REFERENCE_BR.flatten()))
    shift_BR = REWARD_BR - found_BR.view_as(REWARD_BR)
    expected_B1 = beta * tilted_BR.logsumexp(dim=1, keepdim=True)
    torch.testing.assert_close(shift_BR, expected_B1.expand_as(REWARD_BR))


def test_dpo_on_bradley_terry_labels_of_a_reward_learns_it() -> None:
    """The exact loss over all ordered pairs, weighted by how often each order is labeled."""
    beta = 0.5
    prompt_K, a_K, b_K = (
        index.flatten()
        for index in torch.meshgrid(*(torch.arange(n) for n in (2, 4, 4)), indexing="ij")
    )
    chance_K = torch.sigmoid(REWARD_BR[prompt_K, a_K] - REWARD_BR[prompt_K, b_K])
    logits_BR = REFERENCE_BR.clone().requires_grad_()
    optimizer: Any = torch.optim.LBFGS(
        [logits_BR], max_iter=400, tolerance_grad=1e-12, tolerance_change=0
    )

    def reading(policy_BR: Tensor, response_K: Tensor) -> Reading:
        logp = policy_BR[prompt_K, response_K][:, None]
        before = REFERENCE_BR[prompt_K, response_K][:, None]
        return Reading(logp, before, torch.ones_like(before))

    def closure() -> Tensor:
        optimizer.zero_grad()
        policy_BR = logits_BR.log_softmax(dim=1)
        batch = PairBatch(reading(policy_BR, a_K), reading(policy_BR, b_K))
        loss = (chance_K * dpo.loss(dpo.Config(beta=beta), batch)).sum()
        torch.autograd.backward(loss)
        return loss

    optimizer.step(closure)
    policy_BR = logits_BR.detach().log_softmax(dim=1)
    found_N = score(Config(beta=beta), read(policy_BR.flatten(), REFERENCE_BR.flatten()))
    found_BR = found_N.view_as(REWARD_BR)
    centered = REWARD_BR - REWARD_BR.mean(dim=1, keepdim=True)
    torch.testing.assert_close(
        found_BR - found_BR.mean(dim=1, keepdim=True), centered, atol=1e-4, rtol=0
    )
