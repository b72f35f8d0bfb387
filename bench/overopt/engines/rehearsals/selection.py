"""Tries a method that leaves weights alone on made-up numbers: pools, compositions, particles."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from overopt.engines.blame import blamed, check_finite, check_kind, open_blamed
from overopt.engines.method.composed import OpenedComposed
from overopt.engines.method.novelty import OpenedNovelty
from overopt.engines.method.particles import OpenedParticles
from overopt.engines.method.search import OpenedSearch
from overopt.engines.method.selection import OpenedSelection
from overopt.engines.method.values import OpenedValues
from overopt.engines.rehearsals.sizes import PROMPTS, TOKENS
from overopt.errors import UserError
from overopt.methods.contract.composition import Composition
from overopt.methods.contract.novelty import PredictorShape
from overopt.methods.contract.particles import Grown
from overopt.methods.contract.search import Children
from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.contract.training import Training
from overopt.methods.contract.values import Critic, Valued
from overopt.spec.declare import MethodInput
from overopt.spec.method import MethodSpec
from overopt.stats.pools.similarity import mean_cosine, of_unit_length

POOL = 64


def try_selection(spec: MethodSpec) -> None:
    """Weights that are probabilities, a KL that follows from them, and what they cost."""
    source, method = spec.source, open_blamed(OpenedSelection, spec)
    knob = math.sqrt(spec.knob.low * spec.knob.high)
    if spec.knob.whole:
        knob = float(math.ceil(spec.knob.low))
    pool = _made_up(PROMPTS, POOL, method.inputs)
    if "novelty" in method.inputs:
        _try_novelty(spec)
    if method.knows_policy:
        _try_probabilities(source, "weights", method.weights, pool, knob)
    if method.is_unbiased:
        _try_probabilities(source, "unbiased_weights", method.unbiased_weights, pool, knob)
    if method.tunes:
        _try_tuning(source, method, pool)
    with blamed(source, "draw_size"):
        size = method.draw_size(knob)
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 0:
        raise UserError(f"{source}: draw_size returns {size!r}, not a count from 0.")
    if size:
        draws = _made_up(POOL, int(size), method.inputs)
        _try_probabilities(source, "draw_weights", method.draw_weights, draws, knob)
    elif not method.knows_policy:
        raise UserError(
            f"{source}: draw_size returns 0, so that nothing is drawn; define weights, "
            "the policy without draws, or return a count from 1."
        )
    with blamed(source, "kl_bound_nats"):
        bound = method.kl_bound_nats(knob)
    if bound is not None:
        check_finite(source, "kl_bound_nats", torch.tensor(bound))
    with blamed(source, "samples_used"):
        used = method.samples_used(POOL, knob)
    if isinstance(used, bool) or not isinstance(used, int | np.integer) or used < 1:
        raise UserError(f"{source}: samples_used returns {used!r}, not a count from 1.")


def _try_novelty(spec: MethodSpec) -> None:
    """A module that foretells each row, and a finite error of it with a gradient."""
    source, method = spec.source, open_blamed(OpenedNovelty, spec)
    check_kind(source, "training", method.training, Training)
    shape = PredictorShape(embedded=TOKENS + 1, target=TOKENS + 2)
    generator = torch.Generator().manual_seed(0)
    with blamed(source, "make_predictor"):
        predictor = method.make_predictor(shape)
        check_kind(source, "make_predictor", predictor, nn.Module)
        embedded_RLE = torch.randn(PROMPTS, TOKENS, shape.embedded, generator=generator)
        predicted_RD = predictor(embedded_RLE, torch.arange(1, PROMPTS + 1))
    target_RD = torch.randn(PROMPTS, shape.target, generator=generator)
    for name, found in (("make_predictor", predicted_RD), ("prediction_error", None)):
        wanted: tuple[int, ...] = (PROMPTS, shape.target)
        if found is None:
            with blamed(source, name):
                found = method.prediction_error(predicted_RD, target_RD)
            wanted = (PROMPTS,)
        check_kind(source, name, found, Tensor)
        if tuple(found.shape) != wanted:
            raise UserError(
                f"{source}: {name} gives shape {tuple(found.shape)} for {PROMPTS} responses; it "
                f"must be {wanted}."
            )
        check_finite(source, name, found)
        if not found.requires_grad:
            raise UserError(f"{source}: {name} has no gradient, so that nothing is learned.")


def _made_up(rows: int, samples: int, inputs: frozenset[MethodInput]) -> ScoredPool:
    """Scores, and of what may be asked for beside them that which is asked for."""
    generator = np.random.default_rng(0)
    pool = samples_of_reference(generator.normal(size=(rows, samples)))
    shape = pool.proxy_BN.shape
    if "reference_logp" in inputs:
        pool = pool._replace(reference_logp_BN=-generator.exponential(9.0, shape))
    if "features" in inputs:
        feature_BNF = generator.normal(size=(*shape, TOKENS))
        unit_BNF = of_unit_length(feature_BNF)
        each_BN = np.arange(rows * samples).reshape(shape)  # every row is a draw as well
        alike_BN = mean_cosine(unit_BNF, each_BN)
        pool = pool._replace(unit_BNF=unit_BNF, similarity_BN=alike_BN)
    if "answers" in inputs:
        pool = pool._replace(answer_BN=generator.integers(-1, 4, shape))
    if "novelty" in inputs:
        pool = pool._replace(novelty_BN=generator.normal(size=shape))
    return pool


def _try_tuning(source: str, method: OpenedSelection, pool: ScoredPool) -> None:
    """A finite value of the knob, above 0."""
    gold_BN = np.random.default_rng(1).normal(size=pool.proxy_BN.shape)
    with blamed(source, "tune"):
        found = method.tune(pool, gold_BN)
    if not (math.isfinite(found) and found > 0):
        raise UserError(f"{source}: tune returns {found!r}, not a value of the knob, above 0.")


def _try_probabilities(
    source: str,
    name: str,
    function: Callable[[ScoredPool, float], npt.NDArray[np.float64]],
    pool: ScoredPool,
    knob: float,
) -> None:
    """What a function of a pool returns: a distribution over the samples of each row."""
    with blamed(source, name):
        weight = torch.as_tensor(function(pool, knob))
    rows, samples = pool.proxy_BN.shape
    if tuple(weight.shape) != (rows, samples):
        raise UserError(
            f"{source}: {name} returns shape {tuple(weight.shape)} for {rows} rows "
            f"with {samples} samples each; it must be {(rows, samples)}."
        )
    check_finite(source, name, weight)
    if bool((weight < 0).any()) or not torch.allclose(
        weight.sum(1), torch.ones(rows, dtype=torch.float64), atol=1e-6
    ):
        raise UserError(
            f"{source}: {name} are probabilities, at least 0, and those of a row sum "
            "to 1; normalize each row."
        )


def try_composition(spec: MethodSpec) -> None:
    """A finite weight for each of the policies that there are."""
    source, method = spec.source, open_blamed(OpenedComposed, spec)
    for knob in (spec.knob.low, spec.knob.high):
        with blamed(source, "compose"):
            made = method.compose(knob)
        check_kind(source, "compose", made, Composition)
        trained = spec.members if spec.family == "merge" else 0
        if len(made.trained) != trained:
            raise UserError(
                f"{source}: compose gives weights to {len(made.trained)} trained policies, but "
                f"there are {trained}."
            )
        check_finite(source, "compose", torch.tensor([made.initial, made.value, *made.trained]))
    if spec.values:
        _try_values(spec)


def _try_values(spec: MethodSpec) -> None:
    """A finite target of each token, and a finite loss with a gradient."""
    source, method = spec.source, open_blamed(OpenedValues, spec)
    check_kind(source, "training", method.training, Training)
    generator = torch.Generator().manual_seed(0)
    length_R1 = torch.arange(1, PROMPTS + 1)[:, None]
    mask_RT = (torch.arange(TOKENS) < length_R1).float()
    if method.has_critic:
        _try_critic(source, method, mask_RT, generator)
        return
    value_RT = torch.randn(mask_RT.shape, generator=generator) * mask_RT
    with blamed(source, "value_targets"), torch.no_grad():
        reward_R = torch.randn(PROMPTS, generator=generator)
        target_RT = method.value_targets(Valued(value_RT, mask_RT, reward_R))
    _check_per_token(source, "value_targets", target_RT)
    value_RT.requires_grad_()
    with blamed(source, "value_loss"):
        loss_RT = method.value_loss(value_RT, target_RT)
    _check_per_token(source, "value_loss", loss_RT)
    if not loss_RT.requires_grad:
        raise UserError(
            f"{source}: value_loss does not depend on the values, so that nothing is learned."
        )


def _try_critic(
    source: str, method: OpenedValues, mask_RT: Tensor, generator: torch.Generator
) -> None:
    """A finite loss of each token that both heads have a part in, and a slow copy that moves."""
    with blamed(source, "follow"):
        method.follow()
    q_RT, value_RT, slow_RT, next_RT = (
        torch.randn(mask_RT.shape, generator=generator) * mask_RT for _ in range(4)
    )
    reward_R = torch.randn(PROMPTS, generator=generator)
    q_RT.requires_grad_()
    value_RT.requires_grad_()
    critic = Critic(q_RT, q_RT + 1.0, value_RT, slow_RT, next_RT, mask_RT, reward_R)
    with blamed(source, "critic_loss"):
        loss_RT = method.critic_loss(critic)
    _check_per_token(source, "critic_loss", loss_RT)
    heads = {"Q": q_RT, "V": value_RT}
    found = torch.autograd.grad(loss_RT.sum(), list(heads.values()), allow_unused=True)
    still = [name for name, gradient in zip(heads, found, strict=True) if gradient is None]
    if still:
        raise UserError(
            f"{source}: critic_loss does not depend on {' or '.join(still)}, which is not learned."
        )


def _check_per_token(source: str, name: str, found: Tensor) -> None:
    check_kind(source, name, found, Tensor)
    if tuple(found.shape) != (PROMPTS, TOKENS):
        raise UserError(
            f"{source}: {name} returns shape {tuple(found.shape)} for {PROMPTS} responses of up to "
            f"{TOKENS} tokens; it must be {(PROMPTS, TOKENS)}, one per token."
        )
    check_finite(source, name, found)


def try_particles(spec: MethodSpec) -> None:
    """A finite log weight of each particle, whatever their order."""
    source, method = spec.source, open_blamed(OpenedParticles, spec)
    knob = math.sqrt(spec.knob.low * spec.knob.high)
    score_RN = np.random.default_rng(0).normal(size=(PROMPTS, method.count + 1))
    for step in range(1, method.steps + 1):
        with blamed(source, "potential"):
            found_RN, turned_RN = (
                method.potential(Grown(each, step, method.steps), knob)
                for each in (score_RN, score_RN[:, ::-1].copy())
            )
        if found_RN.shape != score_RN.shape:
            raise UserError(
                f"{source}: potential returns shape {found_RN.shape} for scores {score_RN.shape}; "
                "it is the log weight of each particle."
            )
        check_finite(source, "potential", torch.from_numpy(found_RN))
        if not np.allclose(found_RN, turned_RN[:, ::-1]):
            raise UserError(
                f"{source}: potential depends on the order of the particles; the KL of the policy "
                "is known only where it does not."
            )


def try_search(spec: MethodSpec) -> None:
    """A finite priority of each child, whatever their order, and a finite weight of each leaf."""
    source, method = spec.source, open_blamed(OpenedSearch, spec)
    knob = math.sqrt(spec.knob.low * spec.knob.high)
    generator = np.random.default_rng(0)
    value_RC = generator.normal(size=(PROMPTS, method.branch + 1))
    visits_RC = generator.integers(0, 4, value_RC.shape)
    children = Children(value_RC, visits_RC, visits_RC.sum(axis=1) + 1)
    turned = Children(value_RC[:, ::-1].copy(), visits_RC[:, ::-1].copy(), children.parent_R)
    with blamed(source, "priority"):
        found_RC, turned_RC = (method.priority(each) for each in (children, turned))
    with blamed(source, "preference"):
        weight_RL = method.preference(value_RC, knob)
    for name, found in (("priority", found_RC), ("preference", weight_RL)):
        if found.shape != value_RC.shape:
            raise UserError(
                f"{source}: {name} returns shape {found.shape} for values {value_RC.shape}; it is "
                "one number for each."
            )
        check_finite(source, name, torch.from_numpy(found))
    if not np.allclose(found_RC, turned_RC[:, ::-1]):
        raise UserError(
            f"{source}: priority depends on the order of the children; the KL of the policy is "
            "known only where it does not."
        )
    if spec.values:
        _try_values(spec)
