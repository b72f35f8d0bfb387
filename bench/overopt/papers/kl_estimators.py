"""A study of this project: KL penalties by estimator and place, and what each does to the curve.

Libraries penalize KL by k1 or k3, in the reward or in the loss, with a probability ratio or
without, and their users ask which is right. What each gradient is on average is settled by
enumeration (kl-01); what it does to gold along KL is measured.
"""

from __future__ import annotations

import numpy as np

from overopt.papers.contract import (
    All,
    Arm,
    Checked,
    Claim,
    Equal,
    Exact,
    Figure,
    Gold,
    Grid,
    Minus,
    Paper,
    Value,
    more,
)

BETA = 0.1


def _penalized(estimator: str, place: str, ratio: str = "none") -> Arm:
    words = {"beta": f"{BETA:g}", "estimator": estimator, "place": place, "ratio": ratio}
    return Arm(
        "kl-reinforce",
        settings=tuple(f"kl-reinforce.{name}={value}" for name, value in words.items()),
    )


FREE = Arm("rloo")
K1_REWARD = _penalized("k1", "reward")
K1_LOSS = _penalized("k1", "loss")
K3_LOSS = _penalized("k3", "loss")
K3_TOKEN = _penalized("k3", "loss", "token")
RB_PREFIX = _penalized("rb", "loss", "prefix")
NAMES = {
    "no penalty": FREE,
    "k1 in the reward": K1_REWARD,
    "k1 in the loss": K1_LOSS,
    "k3 in the loss": K3_LOSS,
    "k3 in the loss, token's ratio": K3_TOKEN,
    "Rao-Blackwellized, prefix's ratio": RB_PREFIX,
}


def gradients_of_one_token() -> Checked:
    """Mean gradients of the forms in the logits of one token, against those of both KLs.

    With d = log pi - log pi_ref and the score of response i, e_i - pi: k1 in the reward and k2 in
    the loss give the gradient of KL(pi || pi_ref), pi (d - KL); k3 in the loss that of
    KL(pi_ref || pi), pi - pi_ref; and k1 in the loss 0.
    """
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(100):
        policy, reference = rng.dirichlet(np.ones(6), size=2)
        d = np.log(policy / reference)
        score = np.eye(6) - policy  # row i: gradient of log pi(i)
        reverse = policy * (d - policy @ d)
        found = {
            "k1 in the reward": ((policy * d) @ score, reverse),
            "k2 in the loss": ((policy * d) @ score, reverse),
            "k3 in the loss": ((policy * (1 - np.exp(-d))) @ score, policy - reference),
            "k3 in the loss with its ratio": (
                (policy * (np.exp(-d) + d - 1 + 1 - np.exp(-d))) @ score,
                reverse,
            ),
            "k1 in the loss": (policy @ score, np.zeros(6)),
        }
        worst = max(worst, *(float(np.abs(a - b).max()) for a, b in found.values()))
    return Checked(worst <= 1e-12, worst, 1e-12, "100 pairs of policies over six responses")


CLAIMS = (
    Claim(
        "kl-01",
        "on average k1 in the reward, k2 in the loss and k3 in the loss with its ratio have the "
        "gradient of KL(pi || pi_ref), k3 in the loss that of KL(pi_ref || pi), k1 there none",
        "derived; Liu et al. 2025 prove it for k1 and k2",
        "responses of one token; longer ones are enumerated in tests/methods/test_kl_penalties.py",
        Exact(gradients_of_one_token, "mean gradients of all forms in closed form, to 1e-12"),
    ),
    Claim(
        "kl-02",
        "k1 in the loss is no penalty: gold at equal KL and steps to it are those without one",
        "its mean gradient is 0, so that only noise is added",
        "this study",
        All(
            (
                Equal(Minus(Gold(K1_LOSS), Gold(FREE))),
                Equal(Minus(Value(K1_LOSS, "gradient_steps"), Value(FREE, "gradient_steps")), 10.0),
            )
        ),
        figure="forms",
    ),
    Claim(
        "kl-03",
        "the form of a penalty leaves gold at equal KL unchanged",
        "expected, as the weight of a penalty leaves it in Gao et al.",
        "this study",
        All(
            tuple(
                Equal(Minus(Gold(arm), Gold(K1_REWARD))) for arm in (K3_LOSS, K3_TOKEN, RB_PREFIX)
            )
        ),
        figure="forms",
    ),
    Claim(
        "kl-04",
        "k3 in the loss holds back less than with the token's ratio: fewer steps to the same KL",
        "open: either gradient may be the larger one; the sign was fixed before the runs",
        "this study",
        more(Value(K3_TOKEN, "gradient_steps"), Value(K3_LOSS, "gradient_steps")),
        figure="steps",
    ),
)

FIGURES = (
    Figure(
        "forms", "gold against KL, one curve for each form", "sqrt_kl", "gold_mean",
        tuple(NAMES.items()), beside="proxy_mean",
    ),
    Figure(
        "steps", "KL along training, one curve for each form", "step", "kl_nats",
        tuple(NAMES.items()), log_x=True, log_y=True,
    ),
)  # fmt: skip

PAPER = Paper(
    name="kl-estimators",
    title="KL penalties by estimator and place (a study of this project)",
    url="https://arxiv.org/abs/2510.01555",
    grids={
        "smoke": Grid(task="tabular", seeds=3),
        "standard": Grid(seeds=5),
        "full": Grid(seeds=8, worlds=3),
    },
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "No paper is reproduced here. The address is that of Liu et al. 2025, whose abstract was "
        "read. "
        "Penalties are sums over tokens at one weight, 0.1 SDs of reward a nat.",
    ),
)
