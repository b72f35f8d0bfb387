"""The trl engine of the rollout family: a method's advantages and loss inside TRL's trainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import PreTrainedModel

from overopt.engines.experience import RewardFunction, prompt_batches
from overopt.engines.snapshots import Compute, Progress, RolloutRow, Trajectory
from overopt.engines.trl_seams import (
    RolloutTrainer,
    from_lists,
    fused_response_logps,
    rollout_config,
)
from overopt.engines.trl_training import (
    Course,
    Setup,
    adapters,
    configuration,
    isolated,
    own_randomness,
    ready,
    reference_of,
    train,
)
from overopt.engines.trl_version import check_extra
from overopt.errors import UserError
from overopt.methods.contract import Rollout, RolloutMethod, RolloutStep
from overopt.models.logprobs import KLStatistics, kl_statistics
from overopt.models.sampling import Samples, sample
from overopt.models.sequences import Batch, join
from overopt.spec import RolloutSpec, TrlSpec
from overopt.worlds.tokens import Tokens


class _Over(Exception):
    """The walk has passed its last budget, or the last step was taken: nothing is left to do."""


class _Turn(NamedTuple):
    """One pass: which of this process's passes it is, and the prompts of the whole step."""

    number: int
    index_B: npt.NDArray[np.int64]


class _Given(NamedTuple):
    """One pass: its groups' rows, and their part of the rollout with the advantages."""

    batch: Batch
    rollout: Rollout
    advantage: Tensor


class RolloutCourse(Course):
    """Samples, rewards and KL of every step, spread over processes and passes."""

    settings: RolloutSpec

    def __init__(
        self,
        method: RolloutMethod,
        config: Any,
        settings: RolloutSpec,
        prompts: Tokens,
        max_new_tokens: int,
        generation: str,
        budgets_nats: Sequence[float],
        generator: torch.Generator,
        passes: int,
        progress: Progress,
    ) -> None:
        name = method.__name__.rpartition(".")[2]
        super().__init__(name, settings, tuple(budgets_nats), progress)
        self.micro_batches = passes
        self.steps = settings.max_steps + 1  # the last one only looks at the final policy
        self.reference: Any = None
        self._method, self._config = method, config
        self._prompts, self._max_new_tokens = prompts, max_new_tokens
        self._generation, self._generator = generation, generator
        self._passes: list[_Given] = []
        self._sum = 0.0

    def turns(self, first_step: int) -> Iterator[_Turn]:
        batches = prompt_batches(self._prompts.rows(), self.settings, self._generator)
        for index_B in islice(batches, self.steps):
            if first_step:
                self._skip(len(index_B))
                first_step -= 1
                continue
            for number in range(self.micro_batches):
                yield _Turn(number, index_B)

    def prepare(self, turn: _Turn) -> _Given:
        if turn.number == 0:
            # the other samplers draw from the global generators, whose state TRL saves
            own = self._generation == "overopt"
            with own_randomness() if own else nullcontext():
                self._collect(turn.index_B)
        return self._passes[turn.number]

    def loss(self, model: nn.Module, given: _Given) -> Tensor:
        shape = given.rollout.mask_BNT.shape
        logp_NT = fused_response_logps(model, given.batch)
        logp_NT = pad(logp_NT, (0, shape[2] - logp_NT.shape[1]))
        step = RolloutStep(given.rollout, logp_NT.view(shape), given.advantage)
        loss_BN = self._method.loss(self._config, step)
        rows = self._prompts_per_step * self.settings.samples_per_prompt
        self._sum += float(loss_BN.detach().sum()) / rows
        return loss_BN.sum() * self.scale(rows)

    def check(self, gradient_norm: float) -> None:
        device = self.trainer.accelerator.device
        loss = float(self.total(torch.tensor(self._sum, device=device)))
        self.check_finite(loss, gradient_norm)
        assert self.rows[-1].step == self.step
        self.rows[-1] = self.rows[-1]._replace(loss=loss, gradient_norm=gradient_norm)

    def after_step(self) -> bool:
        drawn = self._prompts_per_step * self.settings.samples_per_prompt
        self.compute = Compute(
            self.step,
            self.compute.samples_drawn + drawn,
            self.compute.tokens_processed + self._tokens,
        )
        return False

    @property
    def _prompts_per_step(self) -> int:
        return min(self.settings.prompts_per_step, self._prompts.rows())

    def _collect(self, index_B: npt.NDArray[np.int64]) -> None:
        """Sample this step's groups, reward them, note the KL, and lay out the passes."""
        samples = self.settings.samples_per_prompt
        pieces = self.share(index_B)
        prompts = self._prompts.take(np.concatenate(pieces))
        repeated = prompts.take(np.repeat(np.arange(prompts.rows()), samples))
        drawn = self._draw(prompts, repeated, len(index_B))
        reward_N = self.trainer.rewards(repeated, drawn.responses)
        if not bool(torch.isfinite(reward_N).all()):
            raise FloatingPointError(f"{self.name}: a reward of step {self.step + 1} is not finite")
        seen = kl_statistics(self.policy, self.reference, repeated, drawn.responses)
        over = self._note(repeated, drawn, seen, reward_N)
        if over:
            raise _Over
        rollout = self._gather(drawn, seen, reward_N)
        with torch.no_grad():
            advantage = self._method.advantages(self._config, rollout)
        first = self.trainer.accelerator.process_index * prompts.rows()
        self._passes, start, self._sum = [], 0, 0.0
        for piece in pieces:
            own = torch.arange(first + start, first + start + len(piece))
            part = slice(samples * start, samples * (start + len(piece)))
            rows = np.arange(part.start, part.stop)
            batch = join(
                repeated.take(rows), drawn.responses.take(rows), self.trainer.accelerator.device
            )
            kept = rollout.take(own)
            self._passes.append(_Given(batch, kept, advantage[own]))
            start += len(piece)

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

    def _note(self, prompts: Tokens, drawn: Samples, seen: KLStatistics, reward_N: Tensor) -> bool:
        """Add the step's row and let the walk look at the policy; whether the run is over."""
        tokens = int(prompts.length_N.sum() + drawn.responses.length_N.sum())
        sums = [
            float(seen.rb_N.sum()),
            float(seen.entropy_N.sum()),
            float(drawn.responses.length_N.sum()),
            float(tokens),
        ]
        device = self.trainer.accelerator.device
        kl, entropy, length, all_tokens = self.total(torch.tensor(sums, device=device)).tolist()
        rows = len(reward_N)
        self._tokens = round(all_tokens)
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

    def _gather(self, drawn: Samples, seen: KLStatistics, reward_N: Tensor) -> Rollout:
        """The rollout of all processes, so that advantages may compare all groups of a step."""
        accelerator = self.trainer.accelerator
        known = drawn.logp_NT if self._generation == "overopt" else seen.policy_logp_NT
        mine = (known, seen.reference_logp_NT, drawn.responses.mask_NT.astype(np.float32))
        parts = [torch.from_numpy(part_NT).to(accelerator.device) for part_NT in mine]
        sampled_NT, reference_NT, mask_NT = (
            accelerator.gather(accelerator.pad_across_processes(part_NT, dim=1))
            for part_NT in parts
        )
        grouped = (-1, self.settings.samples_per_prompt)
        return Rollout(
            reward_BN=reward_N.view(grouped),
            sampled_logp_BNT=sampled_NT.view(*grouped, sampled_NT.shape[1]),
            reference_logp_BNT=reference_NT.view(*grouped, reference_NT.shape[1]),
            mask_BNT=mask_NT.view(*grouped, mask_NT.shape[1]),
        )


def optimise_rollouts(
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
    """Optimise a policy against a reward in TRL's trainer; see ``native_rollout``.

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
    with isolated(int(policy.config.vocab_size)):
        own, passes = _passes(settings, options, prompts.rows())
        course = RolloutCourse(
            method,
            config,
            settings,
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
            args=rollout_config(**shared),
            processing_class=setup.tokenizer,
            peft_config=adapters(options),
        )
        course.reference = reference_of(course, reference)
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
