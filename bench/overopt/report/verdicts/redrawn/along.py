"""A paper's figure, drawn again: with its axes, and its estimator of KL beside ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from overopt.report.verdicts.arms import Arm
from overopt.stats.fits.forms import Form

Axis = Literal[
    "kl", "sqrt_kl", "sqrt_forward_kl", "step", "samples", "proxy", "implicit", "heldout_loss_nats"
]
"""What runs along the x axis; ``kl`` is KL on a linear axis, ``sqrt_kl`` its square root, and
``sqrt_forward_kl`` that of the forward KL, KL(initial || policy)."""

Estimator = Literal["", "kl_k1_nats", "kl_k2_nats", "kl_k3_nats", "kl_bound_nats"]
"""The column of KL that the paper plots; empty where it is unknown or ours."""

X_WORDS = {
    "kl": "KL from the initial policy (nats)",
    "sqrt_kl": "√ KL from the initial policy (√ nats)",
    "sqrt_forward_kl": "√ forward KL, initial to policy (√ nats)",
    "step": "training step",
    "samples": "samples drawn",
    "proxy": "proxy (SDs of the initial policy)",
    "implicit": "held-out pairs ranked right by the implicit reward",
    "heldout_loss_nats": "loss on held-out pairs (nats)",
}
Y_WORDS = {
    "gold_mean": "gold (SDs of the initial policy)",
    "proxy_mean": "proxy (SDs of the initial policy)",
    "kl_nats": "KL from the initial policy (nats)",
    "win_rate": "win rate against the initial policy",
    "ranking": "pairs ranked right by likelihood",
    "flipped": "wrongly ranked training pairs, now right",
    "mmd": "distance (MMD) of the distributions of proxy and gold",
    "component_1": "score of the first component (SDs)",
    "choice_error": "calibration error of choices between two responses",
    "csi": "cluster separation in InfoRM's latents",
    "auroc": "AUROC of the proxy for gold within prompts",
    "spread": "SD of the members' scores (SDs of the proxy)",
    "chosen_log_ratio_nats": "log ratio of chosen responses to the initial policy (nats)",
}
KEY_WORDS = {
    "gold_mean": "gold",
    "proxy_mean": "proxy",
    "win_rate": "win rate",
    "ranking": "by likelihood",
}
"""Columns that figures show together, as short as a legend wants them."""

NOTHING_GAINED = {
    **dict.fromkeys(("gold_mean", "proxy_mean", "component_1"), 0.0),
    **dict.fromkeys(("win_rate", "ranking", "auroc"), 0.5),
}
"""Where a column lies that says nothing: the initial policy's reward, or a coin's rate."""


@dataclass(frozen=True)
class Figure:
    """Curves of arms.

    Attributes:
        name: stem of its file: letters, digits and dashes.
        of: the paper's figure, such as ``figure 3b``.
        x: the x axis.
        y: a column of ``points.csv`` or of a table beside it, drawn solid.
        curves: arms with their labels, in the order of the legend.
        beside: a second column, drawn dashed; empty for none.
        estimator: the paper's KL, drawn in a second panel beside ours.
        form: fitted to each seed's y and drawn over ours; None for none, and unless x is sqrt(KL).
        log_x: whether the x axis is logarithmic.
        log_y: whether the y axis is logarithmic.
        dots: whether every policy of every seed is a dot, in place of curves over seeds.
        note: what a reader must know of it.
    """

    name: str
    of: str
    x: Axis
    y: str
    curves: tuple[tuple[str, Arm], ...]
    beside: str = ""
    estimator: Estimator = ""
    form: Form | None = None
    log_x: bool = False
    log_y: bool = False
    dots: bool = False
    note: str = ""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it shows."""
        return tuple(arm for _, arm in self.curves)
