import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.testing import assert_close

from overopt.methods.contract.composition import Composition
from overopt.methods.contract.training import Training
from overopt.methods.contract.values import Critic
from overopt.methods.selection.ilql import Config, compose, critic_loss, follow, training
from overopt.models.composed import value_shift
from overopt.stats.pools.listed import kl_listed

REFERENCE_V = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
REWARD_V = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
PLAIN = Config(tau=0.5, alpha=0.0, gamma=1.0)


def one_token(q_V: Tensor, slow_V: Tensor, value: Tensor) -> Critic:
    """Every response of one token: three rows."""
    column = q_V[:, None]
    log_sum = q_V.logsumexp(0).expand(3, 1)
    return Critic(
        column, log_sum, value.expand(3, 1), slow_V[:, None], torch.zeros(3, 1).double(),
        torch.ones(3, 1).double(), REWARD_V,
    )  # fmt: skip


def learned(config: Config) -> tuple[Tensor, float]:
    """Q of each token and V where the mean loss over the reference is least."""
    found: npt.NDArray[np.float64] = np.zeros(4)
    for _ in range(3):  # the copy stands still within a round, and goes all the way after it
        slow_V = torch.from_numpy(found[:3].copy())

        def mean_loss(
            point: npt.NDArray[np.float64], slow_V: Tensor = slow_V
        ) -> tuple[float, npt.NDArray[np.float64]]:
            both = torch.tensor(point, requires_grad=True)
            critic = one_token(both[:3], slow_V, both[3])
            loss = (REFERENCE_V @ critic_loss(config, critic)).sum()
            (gradient,) = torch.autograd.grad(loss, both)
            return loss.item(), gradient.numpy()

        found = minimize(mean_loss, found, jac=True, method="BFGS", options={"gtol": 1e-11}).x
    return torch.from_numpy(found[:3]), float(found[3])


def decoded(q_V: Tensor, beta: float) -> Tensor:
    """The next token's distribution."""
    made = compose(Config(), beta)
    logits = made.initial * REFERENCE_V.log()
    return torch.softmax(logits + value_shift(logits, q_V, made.value, made.top_k, []), -1)


def test_the_loss_by_hand() -> None:
    # token 1: next V .5, gamma .9, Q .2: (.45 - .2)^2 = .0625; Q~ .6 above V .1: .7 x .25 = .175;
    # .1 x (1 - .2) = .08. Token 2, the last, r 2: (2 - .4)^2 = 2.56; Q~ .3 below V .5:
    # .3 x .04 = .012; .1 x (1.5 - .4) = .11
    critic = Critic(
        q_RT=torch.tensor([[0.2, 0.4]]),
        log_sum_q_RT=torch.tensor([[1.0, 1.5]]),
        value_RT=torch.tensor([[0.1, 0.5]]),
        slow_q_RT=torch.tensor([[0.6, 0.3]]),
        next_value_RT=torch.tensor([[0.5, 0.0]]),
        mask_RT=torch.ones(1, 2),
        reward_R=torch.tensor([2.0]),
    )
    found_RT = critic_loss(Config(tau=0.7, alpha=0.1, gamma=0.9), critic)
    assert_close(found_RT, torch.tensor([[0.3175, 2.6820]]))


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_where_a_response_is_one_token_it_is_the_optimum(beta: float) -> None:
    q_V, value = learned(PLAIN)
    assert_close(q_V, REWARD_V, atol=1e-5, rtol=0)
    assert value == pytest.approx(0.7, abs=1e-5)  # .3 + 2 x .2
    tilted = REFERENCE_V * (beta * REWARD_V).exp()
    assert_close(decoded(q_V, beta), tilted / tilted.sum(), atol=1e-5, rtol=0)
    if beta == 1.0:
        expected = [0.1790, 0.2919, 0.5291]
        assert decoded(q_V, beta).tolist() == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("tau", [0.6, 0.9, 0.999])
def test_v_is_an_expectile_of_q_and_the_best_at_the_end(tau: float) -> None:
    q_V, value = learned(Config(tau=tau, alpha=0.0))
    above, below = (REWARD_V - value).clamp(min=0), (value - REWARD_V).clamp(min=0)
    balance = tau * (REFERENCE_V @ above) - (1 - tau) * (REFERENCE_V @ below)
    assert float(balance) == pytest.approx(0.0, abs=1e-5)
    assert_close(q_V, REWARD_V, atol=1e-5, rtol=0)  # V has no part in Q of the last token
    if tau == 0.999:
        assert value == pytest.approx(2.0, abs=0.01)


def test_the_conservative_term_pulls_q_toward_the_data() -> None:
    # 2 q (Q - r) + alpha (softmax(Q) - q) = 0: Q = r - alpha / 2 (softmax(Q) / q - 1)
    q_V, _ = learned(Config(tau=0.5, alpha=0.25))
    shift_V = 0.125 * (torch.softmax(q_V, -1) / REFERENCE_V - 1)
    assert_close(q_V, REWARD_V - shift_V, atol=1e-5, rtol=0)
    strong_V, _ = learned(Config(tau=0.5, alpha=1e4))
    assert_close(torch.softmax(strong_V, -1), REFERENCE_V, atol=1e-3, rtol=0)


def test_more_beta_is_more_kl_and_none_is_the_initial_policy() -> None:
    assert_close(decoded(REWARD_V, 0.0), REFERENCE_V)
    reference = REFERENCE_V.numpy()[None]
    grid = [decoded(REWARD_V, beta).numpy()[None] for beta in (0.1, 0.5, 1.0, 3.0)]
    kl = [float(kl_listed(one, reference)[0]) for one in grid]
    assert kl == sorted(kl) and kl[0] > 0
    assert kl[-1] < math.log(5)


def test_settings_reach_the_engine() -> None:
    assert training(Config()) == Training(epochs=2, module_rate=10.0)
    assert follow(Config(polyak=0.2)) == 0.2
    assert compose(Config(top_k=5), 0.7) == Composition(1.0, (), 0.7, 5)
