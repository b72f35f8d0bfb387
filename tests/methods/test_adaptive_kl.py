from __future__ import annotations

import pytest
import torch

from overopt.methods.rollout import adaptive_kl, rloo

from . import rollouts


@pytest.mark.parametrize(("kl", "beta"), [(6.6, 0.101), (30.0, 0.102), (0.0, 0.098), (6.0, 0.1)])
def test_penalty_by_hand(kl: float, beta: float) -> None:
    """A tenth too much raises it by a hundredth; an error counts up to a fifth."""
    config = adaptive_kl.Config(target_nats=6.0, first_beta=0.1)
    seen = rollouts.rollout([1.0, 2.0], [kl - 1, kl + 1])
    assert adaptive_kl.observe(config, adaptive_kl.begin(config, {}), seen) == pytest.approx(beta)


def test_with_a_penalty_that_stays_it_is_rloo() -> None:
    seen = rollouts.rollout([1.0, 2.0, 6.0], [0.3, -2.0, 1.0])._replace(memory=0.4)
    found = adaptive_kl.advantages(adaptive_kl.Config(), seen)
    assert torch.equal(found, rloo.advantages(rloo.Config(beta=0.4), seen))


@pytest.mark.parametrize("target", [0.3228, 0.9155])
def test_it_comes_to_rest_at_the_target(target: float) -> None:
    """These are the KL of the tilts at beta 1 and .5, which it has to find."""
    config = adaptive_kl.Config(target_nats=target, first_beta=0.8, rate=0.3)
    logp_R, beta = rollouts.REFERENCE_R.log(), adaptive_kl.begin(config, {})
    for _ in range(1200):
        ratio_R = logp_R - rollouts.REFERENCE_R.log()
        kl = float((logp_R.exp() * ratio_R).sum())
        beta = adaptive_kl.observe(config, beta, rollouts.rollout([0.0], [kl]))
        seen = rollouts.rollout(rollouts.REWARD_R.tolist(), ratio_R.tolist())
        gain_R = adaptive_kl.advantages(config, seen._replace(memory=beta))[0]
        logp_R = torch.log_softmax(logp_R + 0.2 * gain_R, -1)
    assert beta == pytest.approx(1.0 if target < 0.5 else 0.5, abs=1e-3)
    assert (logp_R.exp() * (logp_R - rollouts.REFERENCE_R.log())).sum().item() == pytest.approx(
        target, abs=1e-3
    )
