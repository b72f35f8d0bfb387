"""The trl engine of the rollout family: a method's advantages and loss inside TRL's trainer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from overopt.engines.contract import RunInputs, required
from overopt.engines.method.loading import open_as
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.sample_data import RolloutRow, deal, prompt_batches, steps_dealt
from overopt.engines.trl.private_api import RolloutTrainer, rollout_config
from overopt.engines.trl.run import TrlRun
from overopt.engines.trl.sampling import (
    OwnSamples,
    ShareSampler,
    known_reading,
    read_further,
)
from overopt.engines.trl.steps import Pass, Step
from overopt.engines.trl.training import (
    TrlSetup,
    adapters,
    check_options,
    configuration,
    isolated,
    own_randomness,
    ready,
    train,
)
from overopt.engines.trl.version import check_extra
from overopt.engines.walk.trajectory import Compute, Trajectory
from overopt.errors import UserError
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.models.logprobs import KLStatistics, kl_statistics, suppressed_ids
from overopt.spec.method import MethodSpec
from overopt.spec.rollout import RolloutSpec
from overopt.spec.trl import TrlSpec
from overopt.worlds.tokens import Tokens


class _Over(Exception):
    """The walk has passed its last budget, or the last step was taken: nothing is left to do."""


class _PassIndex(NamedTuple):
    """One pass of one gradient step on a rollout of these prompts."""

    inner_step: int
    number: int
    index_B: npt.NDArray[np.int64]


class _Drawn(NamedTuple):
    """A rollout of all processes: B prompts, their responses, what the method says of them.

    tokens_BN: prompt and response tokens of each row.
    """

    prompts: Tokens
    responses: Tokens
    rollout: Rollout
    advantage: Tensor
    tokens_BN: npt.NDArray[np.int64]


class RolloutRun(TrlRun[RolloutRow]):
    """Samples, rewards and KL of every rollout, spread over processes and passes."""

    sampler: ShareSampler

    def __init__(
        self,
        method: OpenedRollout,
        settings: RolloutSpec,
        inputs: RunInputs,
        gradient_accumulation_steps: int,
        generation: str,
    ) -> None:
        steps = settings.max_steps
        super().__init__(method, settings, inputs, steps, gradient_accumulation_steps, RolloutRow)
        self.method, self.settings = method, settings
        self.trainer_steps = steps + 1  # the last one only looks at the final policy
        self._generation, self._generator = generation, inputs.randomness.torch
        groups = min(settings.prompts_per_step, inputs.prompts.rows())
        self._steps_per_rollout = steps_dealt(groups, method.training)
        self._laid_out: list[Pass] = []
        self._minibatches: Iterator[Tensor] = iter(())
        self._losses: list[float] = []
        self._norms: list[float] = []
        self._tokens = self._samples = 0

    def begin(self) -> None:
        """Prepare the sampler too."""
        super().begin()
        self.sampler = ShareSampler(
            self.trainer,
            self.settings.samples_per_prompt,
            self.inputs.max_new_tokens,
            self._generation,
            self._generator,
        )

    def train_inputs(self, first_step: int) -> Iterator[_PassIndex]:
        """The passes of every step from one on."""
        training, step = self.method.training, 0
        prompts, per_step = self.inputs.prompts.rows(), self.settings.prompts_per_step
        for index_B in prompt_batches(prompts, per_step, self._generator):
            left = self.settings.max_steps - step
            steps = min(self._steps_per_rollout, left) or 1
            if step < first_step:
                self.sampler.skip(len(index_B))
                for _ in islice(deal(len(index_B), training, self._generator), steps):
                    pass
            else:
                for inner_step in range(steps):
                    for number in range(self.gradient_accumulation_steps):
                        yield _PassIndex(inner_step, number, index_B)
            if not left:
                return
            step += steps

    def prepare_inputs(self, inputs: _PassIndex) -> Pass:
        """The tensors of a pass; the samples are drawn before the first pass on them."""
        if inputs.number == 0:
            if inputs.inner_step == 0:
                # the other samplers draw from the global generators, whose state TRL saves
                own = self._generation == "overopt"
                with own_randomness() if own else nullcontext():
                    self._drawn = self._draw(inputs.index_B)
                training, prompts = self.method.training, len(inputs.index_B)
                self._minibatches = deal(prompts, training, self._generator)
                self._losses, self._norms = [], []
                self._samples = self._drawn.tokens_BN.size
            self._laid_out = self.passes.lay_out(self._step(next(self._minibatches)))
        return self._laid_out[inputs.number]

    def record(self, loss: float, gradient_norm: float) -> None:
        """Add the step to the means of the rollout's row."""
        self._losses.append(loss)
        self._norms.append(gradient_norm)
        self.rows[-1] = self.rows[-1]._replace(
            loss=sum(self._losses) / len(self._losses),
            gradient_norm=sum(self._norms) / len(self._norms),
        )

    def advance(self) -> bool:
        """Count what the step has cost; the KL is noted with the next samples."""
        self.compute = Compute(
            self.step,
            self.compute.samples_drawn + self._samples,
            self.compute.tokens_processed + self._tokens,
        )
        self._samples = 0  # further steps on the same rollout draw none
        self.pass_by()
        return False

    def may_pause(self) -> bool:
        """Whether nothing is left to be learned from the rollout, and all can be written."""
        whole = self.step % self._steps_per_rollout == 0 or self.step >= self.settings.max_steps
        return whole and super().may_pause()

    def _step(self, index_B: Tensor) -> Step:
        """A minibatch of the rollout's groups."""
        drawn, chosen_B = self._drawn, index_B.numpy()
        samples = self.settings.samples_per_prompt
        row_R = (chosen_B[:, None] * samples + np.arange(samples)).ravel()
        self._tokens = int(drawn.tokens_BN[chosen_B].sum())
        taken_B = index_B.to(self.device)
        rollout, advantage = drawn.rollout.take(taken_B), drawn.advantage[taken_B]

        def loss(now: Reading) -> Tensor:
            return self.method.loss(RolloutStep(rollout, now, advantage))

        prompts, responses = drawn.prompts.take(chosen_B), drawn.responses.take(row_R)
        return Step(prompts, responses, rollout.sampled, loss)

    def _draw(self, index_B: npt.NDArray[np.int64]) -> _Drawn:
        """Sample a rollout's groups, reward them, and note the KL.

        Raises:
            _Over: nothing is to be learned from them, as the run has come to its end.
        """
        samples = self.settings.samples_per_prompt
        own_B = np.concatenate(self.passes.share(index_B))
        own = self.sampler.draw(self.inputs.prompts.take(own_B), len(index_B))
        reward_R = self.trainer.rewards(own.prompts, own.responses)
        if not bool(torch.isfinite(reward_R).all()):
            raise FloatingPointError(f"{self.name}: a reward of step {self.step + 1} is not finite")
        seen = kl_statistics(self.policy, self.reference, own.prompts, own.responses)
        if self._note_rollout(own, seen, reward_R):
            raise _Over
        # of all processes, so that advantages may compare all groups
        responses = self.sampler.gather_responses(own.responses)
        known = known_reading(own, seen, self.anchor, self.device)
        if not self.forward.reads_tokens_only:
            count = self.gradient_accumulation_steps
            known = read_further(own, known, self.passes, self.policy, count)
        sampled = self.sampler.gather_reading(known)
        rollout = Rollout(reward_R.view(-1, samples), sampled)
        with torch.no_grad():
            advantage = self.method.advantages(rollout)
        asked = self.inputs.prompts.take(index_B)
        tokens_BN = asked.length_N[:, None] + responses.length_N.reshape(-1, samples)
        return _Drawn(asked, responses, rollout, advantage, tokens_BN.astype(np.int64))

    def _note_rollout(self, own: OwnSamples, seen: KLStatistics, reward_R: Tensor) -> bool:
        """Add the rollout's row and let the walk look at the policy; whether the run is over."""
        sums = [
            float(seen.rb_N.sum()),
            float(seen.entropy_N.sum()),
            float(own.responses.length_N.sum()),
        ]
        totals = self.passes.total(torch.tensor(sums, device=self.device))
        kl, entropy, length = totals.tolist()
        rows = len(reward_R)
        self.observe(kl / rows)
        row = RolloutRow(
            step=self.step,
            kl_nats=kl / rows,
            loss=None,
            gradient_norm=None,
            reward_mean=float(reward_R.mean()),
            length_mean=length / rows,
            entropy_nats=entropy / rows,
        )
        self.rows.append(row)
        text = f"step {self.step}, KL {kl / rows:.3g} nats, reward {row.reward_mean:.2f}"
        self.inputs.progress(self.walk.fraction(self.step), text)
        return self.walk.finished or self.step == self.settings.max_steps


def optimize(
    method: MethodSpec, settings: Mapping[str, object], inputs: RunInputs, setup: TrlSetup
) -> Trajectory:
    """A run of this family; see ``engines.contract``."""
    opened = open_as(OpenedRollout, method)
    return optimize_rollout(opened, RolloutSpec.model_validate(settings), inputs, setup)


def optimize_rollout(
    method: OpenedRollout, settings: RolloutSpec, inputs: RunInputs, setup: TrlSetup
) -> Trajectory:
    """Optimize a policy against a reward in TRL's trainer; see ``engines.rollout``.

    Prompts, samples (where this package's sampler draws them), rewards, KL and stopping are the
    native engine's, so that the two engines differ in rounding only. Advantages are computed from
    the rollout of all processes.

    Args:
        method: which supplies ``advantages`` and ``loss``.
        settings: learning rate, prompts per step, samples per prompt, number of steps.
        inputs: of the run, with a reward.
        setup: processes, precision, adapters, who samples, checkpoints.

    Raises:
        FloatingPointError: if a reward, a loss, a gradient or a KL estimate is not finite.
        UserError: prompts that the processes cannot share evenly, or an option of TRL that does
            not exist or whose library is missing.
    """
    options, policy = setup.options, inputs.policy
    check_options(method, options)
    with isolated(int(policy.config.vocab_size)):
        own, passes = _passes(settings, options, inputs.prompts.rows())
        run = RolloutRun(method, settings, inputs, passes, options.generation)
        shared = configuration("rollout", settings, setup, passes, run.trainer_steps)
        if options.generation == "vllm":
            check_extra("vllm", "trl.generation = vllm")
            shared["use_vllm"] = True
        shared["per_device_train_batch_size"] = settings.samples_per_prompt * -(-own // passes)
        shared["num_generations"] = settings.samples_per_prompt
        shared["max_completion_length"] = inputs.max_new_tokens
        run.trainer = RolloutTrainer(
            run,
            required(inputs.reward, "a reward"),
            model=ready(policy),
            args=rollout_config(suppressed_ids(policy), **shared),
            processing_class=setup.tokenizer,
            peft_config=adapters(options),
        )
        run.begin()
        with suppress(_Over):
            train(run, setup)
        return run.finish()


def _passes(settings: RolloutSpec, options: TrlSpec, prompts: int) -> tuple[int, int]:
    """Prompts of one process in a step, and the passes in which it learns from them."""
    per_step = min(settings.prompts_per_step, prompts)
    if per_step % options.processes:
        raise UserError(
            f"{per_step} prompts per step cannot be shared evenly by {options.processes} "
            "processes; choose rollout.prompts_per_step as a multiple of trl.processes."
        )
    own = per_step // options.processes
    groups = max(1, options.micro_batch // settings.samples_per_prompt)
    return own, -(-own // groups) if options.micro_batch else 1
