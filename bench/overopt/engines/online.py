"""The loop of the native engines that sample: draw, score, learn, and read the KL on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from overopt.engines.beside import with_all_asked
from overopt.engines.contract import RunInputs, required
from overopt.engines.drawn import DrawnSamples, draw_samples
from overopt.engines.learner import Learner
from overopt.engines.sample_data import RolloutRow, prompt_batches
from overopt.engines.walk.kl_walk import KLWalk
from overopt.engines.walk.trajectory import Compute, Trajectory
from overopt.spec.rollout import RolloutSpec
from overopt.worlds.tokens import Tokens


class Minibatch(NamedTuple):
    """What one gradient step descends.

    loss: scalar. tokens: that it was computed from. again: the loss of the same rows anew.
    """

    loss: Tensor
    tokens: int
    again: Callable[[], Tensor]


class Lesson(NamedTuple):
    """What a family learns from the samples of one rollout.

    minibatches: of the gradient steps on it, one after another; each is computed when the step
        before it has been taken. None at all is allowed, and counts as one step without learning.
    with_gradient: whether the first of them uses the pass in which the samples are read.
    besides: prompt and response tokens of a rollout that count beside those that are trained on.
    """

    minibatches: Callable[[DrawnSamples], Iterator[Minibatch]]
    with_gradient: bool
    besides: Callable[[DrawnSamples], int]


class _Learned(NamedTuple):
    """Loss and gradient norm of the K steps on a rollout, and the tokens that they went through."""

    loss_K: tuple[float, ...] = ()
    gradient_norm_K: tuple[float, ...] = ()
    tokens: int = 0


def optimize_online(
    learner: Learner, lesson: Lesson, settings: RolloutSpec, inputs: RunInputs
) -> Trajectory:
    """Sample and learn until the last budget or step.

    Every rollout samples afresh. The policy's pass over the samples and the reference's give their
    KL for nothing, so it is read at every rollout, unless they are drawn at another temperature.

    Args:
        learner: policy and reference under the method.
        lesson: what is learned from a rollout.
        settings: prompts per step, samples per prompt, number of gradient steps.
        inputs: of the run, with a reward; torch draws the order of the prompts, the samples, and
            how minibatches are dealt.

    Returns:
        Snapshots at the budgets (or of the final policy), and one ``RolloutRow`` per rollout, the
        last of which is for the samples of the final policy.

    Raises:
        FloatingPointError: if a reward, a loss, a gradient or a KL estimate is not finite.
    """
    reward, generator = required(inputs.reward, "a reward"), inputs.randomness.torch
    between = inputs.kl_probe.of_weights(inputs.reference)
    walk = KLWalk(inputs.budgets_nats, settings.max_steps, between)
    rows: list[RolloutRow] = []
    compute = Compute(0, 0, 0)
    step = 0
    for index_B in prompt_batches(inputs.prompts.rows(), settings.prompts_per_step, generator):
        prompts, temperature = inputs.prompts.take(index_B), learner.temperature
        drawn = draw_samples(
            learner,
            prompts,
            settings.samples_per_prompt,
            inputs.max_new_tokens,
            reward,
            generator,
            lesson.with_gradient,
            temperature=temperature,
        )
        if temperature != 1:
            # the samples are not the policy's own, so that they do not tell how far it has gone
            measured = inputs.kl_probe(inputs.policy, inputs.reference)
            drawn = drawn._replace(kl_nats=measured)
        walk.observe(step, drawn.kl_nats, compute, inputs.policy)
        over = walk.finished or step == settings.max_steps
        learned = _Learned()
        if not over:
            drawn = with_all_asked(learner, drawn, index_B, inputs)
            memory = learner.observe(drawn.rollout, _gold(drawn, prompts, inputs))
            drawn = drawn._replace(rollout=drawn.rollout._replace(memory=memory))
            learner.begin_steps()
            for learned in _learn(learner, lesson.minibatches(drawn), settings.max_steps - step):
                spent = _spend(compute, drawn, learned, lesson.besides(drawn))
                walk.pass_by(step + len(learned.loss_K), spent, inputs.policy)
            learner.end_round()
            if inputs.refit is not None:
                inputs.refit(drawn.repeat(prompts), drawn.responses)
        rows.append(_row(step, drawn, learned))
        seen = rows[-1].reward_mean
        text = f"step {step}, KL {drawn.kl_nats:.3g} nats, reward {seen:.2f}"
        inputs.progress(walk.fraction(step), text)
        if over:
            break
        step += max(1, len(learned.loss_K))
        compute = _spend(compute, drawn, learned, lesson.besides(drawn))
    return Trajectory(walk.snapshots, walk.unreached_nats, tuple(rows), compute)


def _gold(drawn: DrawnSamples, prompts: Tokens, inputs: RunInputs) -> Tensor | None:
    """Gold of the samples, (B, N), for a method that declares that it observes it."""
    if inputs.gold is None:
        return None
    gold_R = inputs.gold(drawn.repeat(prompts), drawn.responses)
    reward_BN = drawn.rollout.reward_BN
    return torch.from_numpy(gold_R).to(reward_BN).view(reward_BN.shape)


def _learn(
    learner: Learner, minibatches: Iterator[Minibatch], steps_left: int
) -> Iterator[_Learned]:
    """Take all gradient steps on one rollout, at most ``steps_left``; what was learned by each."""
    learned = _Learned()
    for minibatch in minibatches:
        gradient_norm = learner.step(minibatch.loss, minibatch.again)
        learned = _Learned(
            (*learned.loss_K, minibatch.loss.item()),
            (*learned.gradient_norm_K, gradient_norm),
            learned.tokens + minibatch.tokens,
        )
        yield learned
        if len(learned.loss_K) == steps_left:
            break


def _spend(before: Compute, drawn: DrawnSamples, learned: _Learned, besides: int) -> Compute:
    """What a run has spent after the gradient steps on these samples."""
    return Compute(
        before.gradient_steps + len(learned.loss_K),
        before.samples_drawn + drawn.rows,
        before.tokens_processed + besides + learned.tokens,
    )


def _row(step: int, drawn: DrawnSamples, learned: _Learned) -> RolloutRow:
    """What a trajectory records of samples, and of what was learned from them."""
    return RolloutRow(
        step=step,
        kl_nats=drawn.kl_nats,
        loss=_mean(learned.loss_K),
        gradient_norm=_mean(learned.gradient_norm_K),
        reward_mean=drawn.rollout.reward_BN.mean().item(),
        length_mean=drawn.length_mean,
        entropy_nats=drawn.entropy_nats,
    )


def _mean(value_K: Sequence[float]) -> float | None:
    return sum(value_K) / len(value_K) if value_K else None
