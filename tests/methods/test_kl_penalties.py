"""KL penalties against the exact gradient of KL, every response of a tree of two tokens listed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.catalog import systems
from overopt.engines.rehearsals.method import rehearse
from overopt.errors import UserError
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.kl_penalties import (
    ESTIMATORS,
    kl_terms,
    loss_penalty,
    reward_penalty,
)
from overopt.methods.rollout import kl_reinforce, rloo

from . import rollouts

VOCABULARY = 3
FIRST, SECOND = (row.flatten() for row in torch.meshgrid(*[torch.arange(3)] * 2, indexing="ij"))


def _logits(seed: int) -> Tensor:
    """Logits of the first token, and of the second after each first: (4, 3)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((1 + VOCABULARY, VOCABULARY), generator=generator, dtype=torch.float64)


REFERENCE = torch.log_softmax(_logits(1), -1)


def _reading(logits: Tensor) -> Reading:
    """All nine responses, (1, 9, 2), as a policy of these logits reads them."""
    logp = torch.log_softmax(logits, -1)

    def chosen(table: Tensor) -> Tensor:
        return torch.stack([table[0, FIRST], table[1 + FIRST, SECOND]], -1)[None]

    step_kl = (logp.exp() * (logp - REFERENCE)).sum(-1)
    reverse_kl = torch.stack([step_kl[0].expand(len(FIRST)), step_kl[1 + FIRST]], -1)[None]
    policy_logp = chosen(logp)
    return Reading(
        policy_logp, chosen(REFERENCE), torch.ones_like(policy_logp), reverse_kl=reverse_kl
    )


def _exact(logits: Tensor) -> tuple[Tensor, Tensor]:
    """KL(pi || pi_ref) of responses, and its gradient in the logits."""
    free = logits.clone().requires_grad_()
    reading = _reading(free)
    chance = reading.policy_logp.sum(-1).exp()
    kl = (chance * reading.log_ratio).sum()
    return kl.detach(), torch.autograd.grad(kl, free)[0]


def _expected(logits: Tensor, estimator: str, place: str, ratio: str = "none") -> Tensor:
    """The penalty's gradient, a mean over responses of the policy."""
    free = logits.clone().requires_grad_()
    now = _reading(free)
    sampled = now.map(Tensor.detach)
    chance = sampled.policy_logp.sum(-1).exp()
    if place == "reward":
        price = reward_penalty(sampled, estimator)
        mean = (chance * price * now.policy_logp.sum(-1)).sum()
    else:
        step = RolloutStep(Rollout(torch.zeros_like(chance), sampled), now, chance)
        mean = (chance * loss_penalty(step, estimator, ratio)).sum()
    return torch.autograd.grad(mean, free)[0]


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("estimator", ["k1", "k3", "rb"])
def test_values_are_unbiased(estimator: str, seed: int) -> None:
    reading = _reading(_logits(seed))
    chance = reading.policy_logp.sum(-1).exp()
    mean = (chance * kl_terms(reading, estimator).sum(-1)).sum()
    assert torch.allclose(mean, _exact(_logits(seed))[0], atol=1e-12)


def test_k2_is_biased_in_value() -> None:
    reading = _reading(_logits(2))
    chance = reading.policy_logp.sum(-1).exp()
    mean = (chance * kl_terms(reading, "k2").sum(-1)).sum()
    assert abs(float(mean - _exact(_logits(2))[0])) > 0.05


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize(
    ("estimator", "place", "ratio"),
    [
        ("k1", "reward", "none"),
        ("k1", "loss", "prefix"),
        ("k3", "loss", "prefix"),
        ("rb", "loss", "prefix"),
    ],
)
def test_these_have_the_exact_gradient(estimator: str, place: str, ratio: str, seed: int) -> None:
    found = _expected(_logits(seed), estimator, place, ratio)
    assert torch.allclose(found, _exact(_logits(seed))[1], atol=1e-12)


@pytest.mark.parametrize("estimator", ["k1", "k3", "rb"])
def test_the_tokens_ratio_gives_each_steps_own_kl(estimator: str) -> None:
    """Exact at the last step; at the first, what later steps cost is left out."""
    found = _expected(_logits(2), estimator, "loss", "token")
    exact = _exact(_logits(2))[1]
    assert torch.allclose(found[1:], exact[1:], atol=1e-12)
    assert not torch.allclose(found[0], exact[0], atol=0.01)
    free = _logits(2)[0].clone().requires_grad_()
    logp = torch.log_softmax(free, -1)
    (own,) = torch.autograd.grad((logp.exp() * (logp - REFERENCE[0])).sum(), free)
    assert torch.allclose(found[0], own, atol=1e-12)
    plain = _expected(_logits(2), "rb", "loss", "none")
    assert torch.allclose(plain, found, atol=1e-12)  # it needs no ratio for that


def test_k1_in_the_loss_has_no_gradient() -> None:
    assert torch.allclose(
        _expected(_logits(2), "k1", "loss"), torch.zeros((4, 3), dtype=torch.float64), atol=1e-12
    )


def test_k3_in_the_loss_has_that_of_the_forward_kl_of_each_step() -> None:
    """In the logits of a step it is pi - pi_ref, weighted by the chance to get there."""
    found = _expected(_logits(2), "k3", "loss")
    chance = torch.softmax(_logits(2), -1)
    weight = torch.cat([torch.ones(1, dtype=torch.float64), chance[0]])[:, None]
    assert torch.allclose(found, weight * (chance - REFERENCE.exp()), atol=1e-12)
    assert not torch.allclose(found, _exact(_logits(2))[1], atol=0.02)


def test_k2_in_the_loss_is_exact_at_the_last_step_only() -> None:
    found, exact = _expected(_logits(2), "k2", "loss"), _exact(_logits(2))[1]
    assert torch.allclose(found[1:], exact[1:], atol=1e-12)
    assert not torch.allclose(found[0], exact[0], atol=0.01)


@pytest.mark.parametrize("ratio", ["token", "prefix"])
def test_no_ratio_makes_k2_exact(ratio: str) -> None:
    found, exact = _expected(_logits(2), "k2", "loss", ratio), _exact(_logits(2))[1]
    assert not torch.allclose(found[1:], exact[1:], atol=0.01)


@pytest.mark.parametrize("estimator", ["k2", "k3", "rb"])
def test_in_the_reward_only_k1_is_exact(estimator: str) -> None:
    assert not torch.allclose(
        _expected(_logits(2), estimator, "reward"), _exact(_logits(2))[1], atol=0.01
    )


def test_by_hand() -> None:
    """d = log 2: k1 .6931, k2 .2402, k3 .5 + .6931 - 1 = .1931."""
    one = torch.ones((1, 1, 1), dtype=torch.float64)
    reading = Reading(one * 2.0 * 0.0, -one * torch.log(one * 2.0), one, reverse_kl=one * 0.3)
    found = [float(kl_terms(reading, name)) for name in ESTIMATORS]
    assert found == pytest.approx([0.6931, 0.2402, 0.1931, 0.3], abs=5e-5)


def test_k1_in_the_reward_is_rloo() -> None:
    reading = _reading(_logits(2)).map(Tensor.detach)
    seen = Rollout(torch.arange(9, dtype=torch.float64)[None], reading)
    mine = kl_reinforce.advantages(kl_reinforce.Config(beta=0.4), seen)
    assert torch.allclose(mine, rloo.advantages(rloo.Config(beta=0.4), seen))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"estimator": "k4"}, "Unknown value of estimator 'k4'"),
        ({"place": "gradient"}, "Unknown value of place 'gradient'"),
        ({"place": "loss", "ratio": "all"}, "Unknown value of ratio 'all'"),
        ({"ratio": "token"}, "set place=loss"),
    ],
)
def test_other_words_are_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        rehearse(systems.method("kl-reinforce", settings))


FORWARD = [0.2125, 0.2217, 0.5659]
"""ref/(l - r) with l = 2.3534 from the sum: the optimum of E[r] - KL(pi_ref || pi)."""


@pytest.mark.parametrize(
    ("estimator", "place", "ratio", "optimum"),
    [
        ("k1", "reward", "none", rollouts.TILTED),
        ("k2", "loss", "none", rollouts.TILTED),
        ("k3", "loss", "token", rollouts.TILTED),
        ("k3", "loss", "none", FORWARD),
    ],
)
def test_where_runs_come_to_rest(
    estimator: str, place: str, ratio: str, optimum: list[float]
) -> None:
    """Published GRPO's penalty is another regularizer: it rests at another policy."""
    config = kl_reinforce.Config(beta=1.0, estimator=estimator, place=place, ratio=ratio)
    found = rollouts.rest(kl_reinforce, config, rate=0.15, steps=400)
    assert found == pytest.approx(optimum, abs=5e-4)


def test_k1_in_the_loss_holds_nothing_back() -> None:
    config = kl_reinforce.Config(beta=1.0, estimator="k1", place="loss")
    assert rollouts.rest(kl_reinforce, config, rate=0.15, steps=200)[2] > 0.999
