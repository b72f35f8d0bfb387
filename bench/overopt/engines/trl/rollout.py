"""The trl engine of the rollout family: a method's advantages and loss inside TRL's trainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.experience import RewardFunction, deal, group, prompt_batches, steps_dealt
from overopt.engines.kl_walk import Compute, RolloutRow, Trajectory
from overopt.engines.trl.course import Course, check_options
from overopt.engines.trl.private_api import RolloutTrainer, from_lists, rollout_config
from overopt.engines.trl.steps import Pass, Seen, Step
from overopt.engines.trl.training import (
    Setup,
    adapters,
    configuration,
    isolated,
    own_randomness,
    ready,
    train,
)
from overopt.engines.trl.version import check_extra
from overopt.errors import UserError
from overopt.execution.contract import Progress
from overopt.methods.contract.rollout import Rollout, RolloutMethod, RolloutStep
from overopt.methods.contract.training import given
from overopt.models.logprobs import KLStatistics, kl_statistics, score_logps, suppressed_ids
from overopt.models.sampling import Samples, sample
from overopt.models.sequences import join
from overopt.spec.rollout import RolloutSpec
from overopt.spec.trl import TrlSpec
from overopt.worlds.tokens import Tokens


class _Over(Exception):
    """The walk has passed its last budget, or the last step was taken: nothing is left to do."""


class _Turn(NamedTuple):
    """One pass of one gradient step on a rollout of these prompts."""

    inner_step: int
    number: int
    index_B: npt.NDArray[np.int64]


class _Experience(NamedTuple):
    """A rollout of all processes: B prompts, their responses, what is said of them.

    tokens_BN: prompt and response tokens of each row.
    """

    prompts: Tokens
    responses: Tokens
    rollout: Rollout
    advantage: Tensor
    tokens_BN: npt.NDArray[np.int64]


class RolloutCourse(Course):
    """Samples, rewards and KL of every rollout, spread over processes and passes."""

    settings: RolloutSpec

    def __init__(
        self,
        method: RolloutMethod,
        config: Any,
        settings: RolloutSpec,
        policy: PreTrainedModel,
        prompts: Tokens,
        max_new_tokens: int,
        generation: str,
        budgets_nats: Sequence[float],
        generator: torch.Generator,
        passes: int,
        progress: Progress,
    ) -> None:
        super().__init__(method, config, settings, policy, budgets_nats, passes, progress)
        self.steps = settings.max_steps + 1  # the last one only looks at the final policy
        self._prompts, self._max_new_tokens = prompts, max_new_tokens
        self._generation, self._generator = generation, generator
        groups = min(settings.prompts_per_step, prompts.rows())
        self._steps_per_rollout = steps_dealt(groups, self.training)
        self._passes: list[Pass] = []
        self._minibatches: Iterator[Tensor] = iter(())
        self._losses: list[float] = []
        self._norms: list[float] = []
        self._tokens = self._samples = 0

    def turns(self, first_step: int) -> Iterator[_Turn]:
        step = 0
        for index_B in prompt_batches(self._prompts.rows(), self.settings, self._generator):
            left = self.settings.max_steps - step
            steps = min(self._steps_per_rollout, left) or 1
            if step < first_step:
                self._skip(len(index_B))
                for _ in islice(deal(len(index_B), self.training, self._generator), steps):
                    pass
            else:
                for inner_step in range(steps):
                    for number in range(self.micro_batches):
                        yield _Turn(inner_step, number, index_B)
            if not left:
                return
            step += steps

    def prepare(self, turn: _Turn) -> Pass:
        if turn.number == 0:
            if turn.inner_step == 0:
                # the other samplers draw from the global generators, whose state TRL saves
                own = self._generation == "overopt"
                with own_randomness() if own else nullcontext():
                    self._experience = self._collect(turn.index_B)
                self._minibatches = deal(len(turn.index_B), self.training, self._generator)
                self._losses, self._norms = [], []
                self._samples = self._experience.tokens_BN.size
            self._passes = self.lay_out(self._step(next(self._minibatches)))
        return self._passes[turn.number]

    def record(self, loss: float, gradient_norm: float) -> None:
        self._losses.append(loss)
        self._norms.append(gradient_norm)
        self.rows[-1] = self.rows[-1]._replace(
            loss=sum(self._losses) / len(self._losses),
            gradient_norm=sum(self._norms) / len(self._norms),
        )

    def advance(self) -> bool:
        self.compute = Compute(
            self.step,
            self.compute.samples_drawn + self._samples,
            self.compute.tokens_processed + self._tokens,
        )
        self._samples = 0  # further steps on the same rollout draw none
        return False

    def may_pause(self) -> bool:
        whole = self.step % self._steps_per_rollout == 0 or self.step >= self.settings.max_steps
        return whole and super().may_pause()

    def _step(self, index_B: Tensor) -> Step:
        """A minibatch of the rollout's groups."""
        seen, chosen_B = self._experience, index_B.numpy()
        samples = self.settings.samples_per_prompt
        row_R = (chosen_B[:, None] * samples + np.arange(samples)).ravel()
        self._tokens = int(seen.tokens_BN[chosen_B].sum())
        taken_B = index_B.to(self.device)
        rollout, advantage = seen.rollout.take(taken_B), seen.advantage[taken_B]

        def loss(now: Seen) -> Tensor:
            step = RolloutStep(
                rollout, now.logp_GNT, advantage, now.output_GNTC, now.forward_kl_GNT
            )
            loss_BN: Tensor = self.method.loss(self.config, step)
            return loss_BN

        prompts, responses = seen.prompts.take(chosen_B), seen.responses.take(row_R)
        return Step(prompts, responses, rollout.sampled_logp_BNT, rollout.mask_BNT, loss)

    def _collect(self, index_B: npt.NDArray[np.int64]) -> _Experience:
        """Sample a rollout's groups, reward them, and note the KL.

        Raises:
            _Over: nothing is to be learned from them, as the run has come to its end.
        """
        samples = self.settings.samples_per_prompt
        own_B = np.concatenate(self.share(index_B))
        prompts = self._prompts.take(own_B)
        repeated = prompts.take(np.repeat(np.arange(prompts.rows()), samples))
        drawn = self._draw(prompts, repeated, len(index_B))
        reward_N = self.trainer.rewards(repeated, drawn.responses)
        if not bool(torch.isfinite(reward_N).all()):
            raise FloatingPointError(f"{self.name}: a reward of step {self.step + 1} is not finite")
        seen = kl_statistics(self.policy, self.reference, repeated, drawn.responses)
        over = self._note_rollout(repeated, drawn, seen, reward_N)
        if over:
            raise _Over
        responses, rollout = self._gather_rollout(repeated, drawn, seen, reward_N)
        with torch.no_grad():
            advantage = self.method.advantages(self.config, rollout)
        asked = self._prompts.take(index_B)
        tokens_BN = asked.length_N[:, None] + responses.length_N.reshape(-1, samples)
        return _Experience(asked, responses, rollout, advantage, tokens_BN.astype(np.int64))

    def _draw(self, prompts: Tokens, repeated: Tokens, prompts_of_step: int) -> Samples:
        """Responses of this process's prompts, with the log-probability of each token if known."""
        if self._generation != "overopt":
            responses = from_lists(self.trainer.generate_ids(repeated))
            return Samples(responses, np.zeros((0, 0), np.float32))
        own, process = prompts.rows(), self.trainer.accelerator.process_index
        self._skip(own * process)
        drawn = sample(
            self.policy,
            prompts,
            self.settings.samples_per_prompt,
            self._max_new_tokens,
            self._generator,
        )
        self._skip(prompts_of_step - own * (process + 1))
        return drawn

    def _skip(self, prompts: int) -> None:
        """Pass over the random numbers of other processes' prompts, or of steps already taken."""
        if self._generation == "overopt":
            shape = (prompts * self.settings.samples_per_prompt, self._max_new_tokens)
            torch.rand(shape, generator=self._generator, dtype=torch.float64)

    def _note_rollout(
        self, prompts: Tokens, drawn: Samples, seen: KLStatistics, reward_N: Tensor
    ) -> bool:
        """Add the rollout's row and let the walk look at the policy; whether the run is over."""
        sums = [
            float(seen.rb_N.sum()),
            float(seen.entropy_N.sum()),
            float(drawn.responses.length_N.sum()),
        ]
        kl, entropy, length = self.total(torch.tensor(sums, device=self.device)).tolist()
        rows = len(reward_N)
        self.observe(kl / rows)
        row = RolloutRow(
            step=self.step,
            kl_nats=kl / rows,
            loss=None,
            gradient_norm=None,
            reward_mean=float(reward_N.mean()),
            length_mean=length / rows,
            entropy_nats=entropy / rows,
        )
        self.rows.append(row)
        text = f"{self.name}: step {self.step}, KL {kl / rows:.3g} nats"
        self.progress(self.walk.fraction(self.step), text)
        return self.walk.finished or self.step == self.settings.max_steps

    def _gather_rollout(
        self, prompts: Tokens, drawn: Samples, seen: KLStatistics, reward_N: Tensor
    ) -> tuple[Tokens, Rollout]:
        """Responses and rollout of all processes, so that advantages may compare all groups."""
        responses = drawn.responses
        known = drawn.logp_NT if self._generation == "overopt" else seen.policy_logp_NT
        ids_NT = self._gather_rows(responses.ids_NT).cpu().numpy()
        mask_NT = self._gather_rows(responses.mask_NT.astype(np.float32))
        length_N = mask_NT.sum(-1).cpu().numpy().astype(np.int32)
        output, anchor = self._look_at_samples(prompts, responses)
        samples = self.settings.samples_per_prompt
        rollout = Rollout(
            reward_BN=reward_N.view(-1, samples),
            sampled_logp_BNT=group(self._gather_rows(known), samples),
            reference_logp_BNT=group(self._gather_rows(seen.reference_logp_NT), samples),
            mask_BNT=group(mask_NT, samples),
            anchor_logp_BNT=None if anchor is None else group(self._gather_rows(anchor), samples),
            output_BNTC=None if output is None else group(self._gather_rows(output), samples),
        )
        return Tokens(ids_NT, length_N), rollout

    def _look_at_samples(
        self, prompts: Tokens, responses: Tokens
    ) -> tuple[npt.NDArray[np.float32] | None, npt.NDArray[np.float32] | None]:
        """The module's outputs and the anchor's log-probabilities of this process's samples."""
        output_NTC = anchor_logp_NT = None
        if self.judge.module is not None:
            parts = []
            for index_K in np.array_split(np.arange(prompts.rows()), self.micro_batches):
                if len(index_K):
                    batch = join(prompts.take(index_K), responses.take(index_K), self.device)
                    with torch.no_grad():
                        [output_KTC] = given(
                            self.look(self.policy, batch, batch.mask_BT[None]).output_GNTC,
                            "the module's output",
                        )
                    parts.append(output_KTC.cpu().numpy())
            output_NTC = np.concatenate(parts)
        if self.anchor is not None:
            anchor_logp_NT = score_logps(self.anchor, prompts, responses)
        return output_NTC, anchor_logp_NT

    def _gather_rows(self, own_NT: npt.NDArray[Any]) -> Tensor:
        """The rows of all processes, padded to one width, in the order of the processes."""
        accelerator = self.trainer.accelerator
        value_NT = torch.from_numpy(own_NT).to(self.device)
        rows: Tensor = accelerator.gather(accelerator.pad_across_processes(value_NT, dim=1))
        return rows


def optimize_rollouts(
    method: RolloutMethod,
    config: Any,
    settings: RolloutSpec,
    policy: PreTrainedModel,
    reference: PreTrainedModel,
    prompts: Tokens,
    reward: RewardFunction,
    max_new_tokens: int,
    budgets_nats: Sequence[float],
    generator: torch.Generator,
    progress: Progress,
    setup: Setup,
) -> Trajectory:
    """Optimize a policy against a reward in TRL's trainer; see ``native_rollout``.

    Prompts, samples (where this package's sampler draws them), rewards, KL and stopping are the
    native engine's, so that the two engines differ in rounding only. The reward sees token ids,
    never decoded text. Advantages are computed from the rollout of all processes.

    Args:
        method: the module that supplies ``advantages`` and ``loss``.
        config: its ``Config``.
        settings: learning rate, prompts per step, samples per prompt, number of steps.
        policy: trained in place; it starts as the initial policy.
        reference: the initial policy.
        prompts: training prompts, visited in reshuffled epochs.
        reward: the proxy.
        max_new_tokens: limit of a response's length.
        budgets_nats: rising; empty for a run of exactly ``max_steps``.
        generator: the order of the prompts and, for this package's sampler, all sampling.
        progress: told the fraction done.
        setup: processes, precision, adapters, who samples, checkpoints.

    Raises:
        FloatingPointError: if a reward, a loss, a gradient or a KL estimate is not finite.
        UserError: prompts that the processes cannot share evenly, or an option of TRL that does
            not exist or whose library is missing.
    """
    options = setup.options
    check_options(method, options)
    with isolated(int(policy.config.vocab_size)):
        own, passes = _passes(settings, options, prompts.rows())
        course = RolloutCourse(
            method,
            config,
            settings,
            policy,
            prompts,
            max_new_tokens,
            options.generation,
            budgets_nats,
            generator,
            passes,
            progress,
        )
        shared = configuration("rollout", settings, setup, passes, course.steps)
        if options.generation == "vllm":
            check_extra("vllm", "trl.generation = vllm")
            shared["use_vllm"] = True
        shared["per_device_train_batch_size"] = settings.samples_per_prompt * -(-own // passes)
        shared["num_generations"] = settings.samples_per_prompt
        shared["max_completion_length"] = max_new_tokens

        def proxy(prompts: Any, completions: Any, completion_ids: Any, **_: Any) -> list[float]:
            rewards: list[float] = reward(from_lists(prompts), from_lists(completion_ids)).tolist()
            return rewards

        course.trainer = RolloutTrainer(
            course,
            model=ready(policy),
            reward_funcs=[proxy],
            args=rollout_config(suppressed_ids(policy), **shared),
            processing_class=setup.tokenizer,
            peft_config=adapters(options),
        )
        course.begin(reference)
        with suppress(_Over):
            train(course, setup)
        return course.finish()


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
