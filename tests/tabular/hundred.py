"""A hundred policies whose KL and gold are known exactly, from near the initial one to far away."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from overopt.execution.contract import silent
from overopt.models.language_fitting import train_language_model
from overopt.models.starts.scratch import build_policy
from overopt.spec.training import ArchitectureSpec, TrainingSpec
from overopt.spec.world import WorldSpec
from overopt.stages.evaluate import measure_policy
from overopt.stages.shown.enumeration import Enumeration
from overopt.stats.kl import Estimate, clustered_mean, k1, k2, k3
from overopt.worlds.contract import context_tokens
from overopt.worlds.tabular.world import Tabular, build
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]
POLICIES = 100
SAMPLES = 32
PROMPTS = 16


def world() -> Tabular:
    """The tabular world of seed 0."""
    return build(WorldSpec(kind="tabular", seed=0, train_prompts=32, heldout_prompts=PROMPTS))


def reference(tabular: Tabular) -> PreTrainedModel:
    """A small policy trained briefly on reference texts, as the initial policy of a task is."""
    architecture = ArchitectureSpec(layers=1, width=16, heads=2)
    model = build_policy(architecture, len(tabular.vocabulary), context_tokens(tabular), seed=0)
    rng = np.random.default_rng(0)
    prompts = tabular.train_prompts.take(rng.integers(32, size=2048))
    training = {"learning_rate": 1e-2, "batch_size": 128, "epochs": 2}
    spec = TrainingSpec.model_validate(training)
    train_language_model(model, prompts, tabular.references(prompts, rng), spec, rng, silent)
    return model.eval()


def perturbed(model: PreTrainedModel, scale: float, seed: int) -> PreTrainedModel:
    """A copy with normal noise of this SD on every weight."""
    generator = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(scale * torch.randn(weight.shape, generator=generator))
    return other


@dataclass(frozen=True)
class Measured:
    """One quantity of one policy: per-sample estimates, what is reported, and the truth.

    fixed_se: standard error given the held-out prompts, over which the truth is taken as well;
        the reported one also covers the choice of prompts, and is larger.
    """

    values_BN: Floats
    exact: float

    @property
    def reported(self) -> Estimate:
        """Mean and standard error as results state them."""
        return clustered_mean(self.values_BN)

    @property
    def fixed_se(self) -> float:
        """Standard error over samples only: sqrt(sum_b s_b^2 / N) / B."""
        variance_B = self.values_BN.var(axis=1, ddof=1) / self.values_BN.shape[1]
        return float(np.sqrt(variance_B.sum()) / len(variance_B))

    @property
    def z_reported(self) -> float:
        """Error in reported standard errors."""
        estimate = self.reported
        assert estimate.se is not None
        return (estimate.mean - self.exact) / estimate.se

    @property
    def z_fixed(self) -> float:
        """Error in standard errors over samples."""
        return (self.reported.mean - self.exact) / self.fixed_se


@dataclass(frozen=True)
class Known:
    """One policy: its exact KL and gold, and the sampled estimates of both."""

    kl_nats: float
    gold: float
    estimates: dict[str, Measured]


def measure(
    policy: PreTrainedModel,
    initial: PreTrainedModel,
    tabular: Tabular,
    exact: Enumeration,
    seed: int,
) -> Known:
    """Sample the policy as the evaluation stage does, beside the enumeration."""
    truth = exact.measure(policy)
    columns = measure_policy(policy, initial, tabular.gold, tabular, SAMPLES, seed, step=1)

    def column(name: str) -> Floats:
        values = columns[name]
        assert not isinstance(values, Tokens)
        return np.asarray(values, np.float64).reshape(PROMPTS, SAMPLES)

    log_ratio_BN = column("policy_logp") - column("reference_logp")
    kl_nats, gold = float(truth.kl_B.mean()), float(truth.gold_B.mean())
    return Known(
        kl_nats,
        gold,
        {
            "rb": Measured(column("kl_rb"), kl_nats),
            "k1": Measured(k1(log_ratio_BN), kl_nats),
            "k2": Measured(k2(log_ratio_BN), kl_nats),
            "k3": Measured(k3(log_ratio_BN), kl_nats),
            "gold": Measured(column("gold"), gold),
        },
    )


def hundred(initial: PreTrainedModel, tabular: Tabular, exact: Enumeration) -> list[Known]:
    """The policies, noise growing evenly in its logarithm."""
    scales = np.geomspace(0.01, 0.4, POLICIES)
    return [
        measure(perturbed(initial, float(scale), 1000 + i), initial, tabular, exact, seed=i)
        for i, scale in enumerate(scales)
    ]
