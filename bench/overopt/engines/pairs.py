"""The native engine of the pairs family: pairs in, a policy that walks through KL out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from overopt.engines.contract import RunInputs, required
from overopt.engines.learner import Learner
from overopt.engines.method.loading import open_as
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.pair_data import (
    LaidOutPairs,
    PairsRow,
    lay_out,
    pair_batches,
    read_anchor,
    score_reference,
    tell_step,
)
from overopt.engines.pair_inputs.degraded import Degraded, degrade, read_degraded
from overopt.engines.pair_inputs.proxy_view import ProxyView, Sampled
from overopt.engines.pair_inputs.steps import pair_steps
from overopt.engines.pair_readings import read_listed, read_mismatched, read_revisions
from overopt.engines.walk.kl_walk import KLWalk
from overopt.engines.walk.trajectory import Compute, Trajectory
from overopt.methods.contract.pairs import PairBatch
from overopt.models.sequences import join
from overopt.spec.method import MethodSpec
from overopt.spec.pairs import PairsSpec
from overopt.worlds.tokens import concatenate


def optimize(method: MethodSpec, settings: Mapping[str, object], inputs: RunInputs) -> Trajectory:
    """A run of this family; see ``engines.contract``."""
    return optimize_pairs(open_as(OpenedPairs, method), PairsSpec.model_validate(settings), inputs)


def optimize_pairs(method: OpenedPairs, settings: PairsSpec, inputs: RunInputs) -> Trajectory:
    """Descend a method's loss over preference pairs until the last KL budget or the last step.

    The reference scores all pairs once; chosen and rejected responses go through the policy in one
    forward pass.

    Args:
        method: which supplies ``loss``.
        settings: learning rate, batch size, number of steps.
        inputs: of the run, with preference data; the order of the pairs is drawn by numpy.

    Returns:
        Snapshots at the budgets (or of the final policy), and one ``PairsRow`` per step.

    Raises:
        FloatingPointError: if a loss, a gradient or a KL estimate is not finite.
    """
    pairs = required(inputs.preferences, "preference data")
    drawn = read_tokens = 0
    if "step_pairs" in method.inputs:
        pairs, drawn, read_tokens = pair_steps(
            pairs, method.count("step_pairs"), inputs, method.name
        )
    policy, reference = inputs.policy, inputs.reference
    reference_logps = score_reference(reference, pairs)
    learner = Learner(method, settings, policy, reference)
    view = ProxyView(method, pairs, inputs)
    passes = 2 if method.perturbs else 1
    between = inputs.kl_probe.of_weights(reference)
    walk = KLWalk(inputs.budgets_nats, settings.max_steps, between)
    rows: list[PairsRow] = []
    compute = Compute(0, drawn, read_tokens)
    batches = pair_batches(
        pairs,
        settings.batch_size,
        inputs.randomness.numpy,
        method.couples_pairs,
        method.fewest_pairs,
    )
    for step, index_B in enumerate(batches, start=1):
        data = PairData(
            read_anchor(lay_out(pairs, reference_logps, index_B), learner.anchor),
            view.scores(index_B),
            view.sampled(index_B),
        )
        if "degraded" in method.inputs:
            degrees = method.count("degraded")
            left = degrade(data.pairs, degrees, inputs.randomness.torch)
            data = data._replace(degraded=left)
        batch = _read(learner, data, inputs.separator)
        batch = batch._replace(memory=learner.observe_pairs(batch))
        loss = method.loss(batch).mean()
        chosen_B, rejected_B = batch.chosen.log_ratio, batch.rejected.log_ratio
        gradient_norm = learner.step(
            loss, partial(_mean_loss, method, learner, data, inputs.separator, batch.memory)
        )
        read_tokens += passes * data.tokens(learner)
        compute = Compute(step, drawn + view.drawn, read_tokens + view.tokens)
        kl_nats = inputs.kl_probe(policy, reference) if walk.due(step) else None
        if kl_nats is None:
            walk.pass_by(step, compute, policy)
        else:
            walk.observe(step, kl_nats, compute, policy)
        rows.append(
            PairsRow(
                step=step,
                kl_nats=kl_nats,
                loss=loss.item(),
                gradient_norm=gradient_norm,
                chosen_log_ratio_nats=chosen_B.mean().item(),
                rejected_log_ratio_nats=rejected_B.mean().item(),
                accuracy=(chosen_B > rejected_B).float().mean().item(),
            )
        )
        inputs.progress(walk.fraction(step), tell_step(rows))
        if walk.finished or step == settings.max_steps:
            break
    return Trajectory(walk.snapshots, walk.unreached_nats, tuple(rows), compute)


class PairData(NamedTuple):
    """The pairs of a step, with what was asked for beside them and does not change.

    score_2B: the proxy's, of the chosen responses and of the rejected ones.
    """

    pairs: LaidOutPairs
    score_2B: Tensor | None
    sampled: Sampled | None
    degraded: Degraded | None = None

    def tokens(self, learner: Learner) -> int:
        """Prompt and response tokens that the policy reads."""
        tokens = self.pairs.tokens
        if self.sampled is not None and "listed" in learner.inputs:
            tokens += self.sampled.tokens
        if self.degraded is not None:
            tokens += 2 * int(self.pairs.prompts.length_N.sum()) + self.degraded.tokens
        if "revisions" in learner.inputs:
            tokens += self._revision_tokens()
        return tokens

    def _revision_tokens(self) -> int:
        """Of both responses as revisions of each of the two: prompt, answer, separator, revision.

        Each of the four rows of a pair has its prompt and a separator; each response is an answer
        in two of them and a revision in two.
        """
        prompts, responses = self.pairs.prompts.length_N, self.pairs.responses.length_N
        return 4 * int(prompts.sum() + responses.sum() + len(prompts))


def _mean_loss(
    method: OpenedPairs, learner: Learner, data: PairData, separator: int | None, memory: Any
) -> Tensor:
    return method.loss(_read(learner, data, separator)._replace(memory=memory)).mean()


def _read(learner: Learner, data: PairData, separator: int | None) -> PairBatch:
    """Chosen and rejected responses as the policy reads them now, from one forward pass."""
    pairs, score_2B = data.pairs, data.score_2B
    device = learner.policy.device
    prompts = concatenate([pairs.prompts, pairs.prompts])
    batch = join(prompts, pairs.responses, device)
    before = pairs.before.map(lambda part: part.flatten(0, 1).to(device))
    reference = learner.run_reference(batch) if learner.reads_reference else None
    reading = learner.run(batch, before, reference).reading
    sides = reading.group(pairs.prompts.rows())
    if score_2B is not None:
        sides = sides._replace(score=score_2B.to(device))
    read = PairBatch.of(sides.unbind(0))
    if "mismatched" in learner.inputs:
        read = read._replace(mismatched=read_mismatched(learner, pairs))
    if "revisions" in learner.inputs:
        read = read._replace(revisions=read_revisions(learner, pairs, separator))
    if "reference_scores" in learner.inputs:
        sampled = required(data.sampled, "samples of the initial policy")
        read = read._replace(reference_score=sampled.score_BN.to(device))
    if "listed" in learner.inputs:
        sampled = required(data.sampled, "samples of the initial policy")
        read = read._replace(listed=read_listed(learner, read, sampled))
    if data.degraded is not None:
        read = read._replace(degraded=read_degraded(learner, pairs, data.degraded))
    return read
