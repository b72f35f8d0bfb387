"""Made-up numbers in the shapes that the engines hand to a method.

Sizes are those of ``sizes``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from overopt.engines.blame import blamed, check_kind
from overopt.engines.method.training import TrainedMethod
from overopt.engines.rehearsals.sizes import PROMPTS, TOKENS, USUAL, Sizes
from overopt.errors import UserError
from overopt.methods.contract.pairs import PairBatch, Revisions
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import HiddenStates, StateShape
from overopt.methods.contract.trees import Tree
from overopt.spec.declare import OPPONENTS

_STATES = StateShape(layers=2, width=6)


class MadeUpNumbers:
    """Readings with all that a method asks for, and weights; drawn from a stream of their own.

    Args:
        source: of the method, for error messages.
        method: whose module is tried on made-up states.
        sizes: samples of each prompt, and members that score each.
    """

    def __init__(self, source: str, method: TrainedMethod, sizes: Sizes = USUAL) -> None:
        self._source, self._inputs, self._sizes = source, method.inputs, sizes
        self._degrees, self._more = method.count("degraded"), method.training.opponents
        self._generator = torch.Generator().manual_seed(0)
        with blamed(source, "make_module"):
            self._module = method.make_module(_STATES)

    def reading(self, *rows: int) -> Reading:
        """Responses of 1 to T tokens, shape (*rows, T), with gradient on the policy's part."""
        length = torch.randint(1, TOKENS + 1, rows, generator=self._generator)
        mask = (torch.arange(TOKENS) < length.unsqueeze(-1)).float()
        forward_kl: Tensor | None = None
        if "forward_kl" in self._inputs:
            forward_kl = torch.rand(mask.shape, generator=self._generator) * mask
            forward_kl.requires_grad_()
        reverse_kl: Tensor | None = None
        if "reverse_kl" in self._inputs:
            reverse_kl = torch.rand(mask.shape, generator=self._generator) * mask
            reverse_kl.requires_grad_()
        return Reading(
            self._logp(mask).requires_grad_(),
            self._logp(mask),
            mask,
            forward_kl,
            self._output(rows),
            collision_logp=self._logp(mask) if "collision_logp" in self._inputs else None,
            sampled_logp=self._logp(mask) if "sampled_logp" in self._inputs else None,
            reverse_kl=reverse_kl,
        )

    def pairs(self) -> PairBatch:
        """B pairs, with gradient on the policy's part."""
        batch = PairBatch(self.reading(PROMPTS), self.reading(PROMPTS))
        if "mismatched" in self._inputs:
            batch = batch._replace(mismatched=self.reading(2 * PROMPTS).map(Tensor.detach))
        if "revisions" in self._inputs:
            readings = [self.reading(PROMPTS) for _ in Revisions._fields]
            batch = batch._replace(revisions=Revisions(*readings))
        if not self._inputs.isdisjoint({"proxy_scores", "listed"}):
            chosen, rejected = (
                side._replace(score=self._scores(PROMPTS))
                for side in (batch.chosen, batch.rejected)
            )
            batch = batch._replace(chosen=chosen, rejected=rejected)
        if "reference_scores" in self._inputs:
            batch = batch._replace(reference_score=self._scores(PROMPTS, self._sizes.samples))
        if "listed" in self._inputs:
            listed = self.reading(PROMPTS, 2 + self._sizes.samples)
            batch = batch._replace(
                listed=listed._replace(score=self._scores(PROMPTS, 2 + self._sizes.samples))
            )
        if self._degrees:
            degree = torch.randint(self._degrees, (2 * PROMPTS,), generator=self._generator)
            batch = batch._replace(degraded=self.reading(2 * PROMPTS)._replace(label=degree * 1.0))
        return batch

    def rollout(self) -> Rollout:
        """B prompts with N samples each, without gradient."""
        rollout = self._rollout(self._sizes.samples)
        if "member_rewards" in self._inputs:
            score_BNK = torch.randn(
                (PROMPTS, self._sizes.samples, self._sizes.members), generator=self._generator
            )
            rollout = rollout._replace(member_reward=score_BNK)
        if "step_rewards" in self._inputs:
            rollout = self._with_steps(rollout)
        if "demonstrations" in self._inputs:
            rollout = rollout._replace(demonstrations=self._rollout(1))
        if self._inputs.isdisjoint(OPPONENTS):
            return rollout
        if "searched_samples" in self._inputs:
            return self._with_tree(rollout)
        return rollout._replace(opponents=self._rollout(self._opponents))

    def step(self, rollout: Rollout, advantage: Tensor) -> RolloutStep:
        """A gradient step on a rollout."""
        step = RolloutStep(rollout, self.reading(PROMPTS, self._sizes.samples), advantage)
        if "opponents_now" in self._inputs:
            step = step._replace(opponents=self.reading(PROMPTS, self._opponents))
        return step

    @property
    def _opponents(self) -> int:
        """How many there are of each prompt."""
        return 1 if "greedy_samples" in self._inputs else max(self._sizes.samples, self._more)

    def _rollout(self, samples: int) -> Rollout:
        sampled = self.reading(PROMPTS, samples).map(Tensor.detach)
        return Rollout(torch.randn((PROMPTS, samples), generator=self._generator), sampled)

    def _with_tree(self, rollout: Rollout) -> Rollout:
        """Two families of three nodes for each prompt, of which the last prompt has one only."""
        shape = (PROMPTS, 2, 3)
        ended = torch.rand(shape, generator=self._generator) < 0.5
        grown = torch.ones(shape[:2], dtype=torch.bool)
        grown[-1, -1] = False
        tree = Tree(self._scores(*shape), ended, grown)
        return rollout._replace(opponents=self._rollout(6), tree=tree)

    def _with_steps(self, rollout: Rollout) -> Rollout:
        """A step ends at every other token, and at a response's last one."""
        mask = rollout.sampled.mask
        number = mask.cumsum(-1) * mask
        last = number == mask.sum(-1, keepdim=True)
        end = (mask > 0) & ((number % 2 == 0) | last)
        score = torch.randn(mask.shape, generator=self._generator) * end
        return rollout._replace(step_reward=score, step_end=end)

    def _scores(self, *rows: int) -> Tensor:
        """Scores of a proxy, SDs."""
        return torch.randn(rows, generator=self._generator)

    def _logp(self, mask: Tensor) -> Tensor:
        """Log-probabilities between -3 and -0.1 nats, 0 where the mask is 0."""
        return -(0.1 + 2.9 * torch.rand(mask.shape, generator=self._generator)) * mask

    def _output(self, rows: tuple[int, ...]) -> Tensor | None:
        """The method's own module on made-up hidden states, shape (*rows, T, C)."""
        if self._module is None:
            return None
        shape = (math.prod(rows), TOKENS, _STATES.layers, _STATES.width)
        states = [torch.randn(shape, generator=self._generator) for _ in range(2)]
        function = "the module of make_module"
        check_kind(self._source, "make_module", self._module, nn.Module)
        with blamed(self._source, function):
            output: Tensor = self._module(HiddenStates(*states))
        check_kind(self._source, function, output, Tensor)
        if output.dim() != 3 or output.shape[:2] != shape[:2]:
            raise UserError(
                f"{self._source}: {function} returns shape {tuple(output.shape)} for "
                f"{shape[0]} responses of {TOKENS} tokens; it must be ({shape[0]}, {TOKENS}, C)."
            )
        return output.view(*rows, TOKENS, -1)
