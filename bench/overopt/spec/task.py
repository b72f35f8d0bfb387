"""A task: what methods have in common."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

from pydantic import Field, field_validator, model_validator

from overopt.spec.frozen import Spec, absent
from overopt.spec.hub import TaskWorldSpec
from overopt.spec.labeling import LabelingSpec
from overopt.spec.origins import ReaderOrigin
from overopt.spec.pairs import PairsSpec
from overopt.spec.policy import PolicySpec
from overopt.spec.proxy import ProxySpec
from overopt.spec.rollout import RolloutSpec
from overopt.spec.rounds import RoundsSpec
from overopt.spec.trl import TrlSpec


class EvaluationSpec(Spec):
    """One sampler for all: samples per held-out prompt of a policy, and of the initial policy.

    annealed_per_prompt: particles per held-out prompt with which the oracle front goes on where
        the pool of the initial policy ends, an even number; 0: it ends there.
    """

    samples_per_prompt: int = Field(gt=1)
    pool_samples_per_prompt: int = Field(gt=1)
    annealed_per_prompt: int = Field(default=0, ge=0, multiple_of=2)


class TaskSpec(Spec):
    """What methods have in common: world, initial policy, gold, data sizes, KL budgets.

    classifier: the gold of a hub task, where ``gold`` is ``classifier``.
    labels: who labels the pairs, where that is not gold alone through a run's noise.
    rounds: of relabeling, where there are several.
    """

    name: str
    summary: str
    world: TaskWorldSpec
    policy: PolicySpec
    gold: str
    classifier: ReaderOrigin | None = Field(default=None, exclude_if=absent)
    labels: LabelingSpec | None = Field(default=None, exclude_if=absent)
    proxy: ProxySpec
    pairs: PairsSpec
    rollout: RolloutSpec
    evaluation: EvaluationSpec
    trl: TrlSpec = TrlSpec()
    rounds: RoundsSpec | None = Field(default=None, exclude_if=absent)
    kl_grid_nats: tuple[float, ...]

    @field_validator("kl_grid_nats", mode="before")
    @classmethod
    def _grid_from_list(cls, grid_nats: object) -> object:
        return tuple(grid_nats) if isinstance(grid_nats, list) else grid_nats

    @model_validator(mode="after")
    def _parts_suit_the_world(self) -> Self:
        if self.world.hub is not None:
            if self.policy.architecture is not None:
                raise ValueError(
                    "the policy of a hub world is world.hub.policy; it takes no policy.architecture"
                )
            return self
        if self.policy.architecture is None or self.policy.training is None:
            raise ValueError("policy.architecture and policy.training are missing; add them")
        if self.classifier is not None:
            raise ValueError("[classifier] belongs to hub worlds")
        if self.proxy.base is not None and self.world.pool is None:
            raise ValueError("proxy.base belongs to worlds of real text, hub and pool")
        return self

    @property
    def round(self) -> int:
        """Number of the round whose policies are measured, from 1."""
        return 1 if self.rounds is None else self.rounds.count

    @property
    def round_before(self) -> Self:
        """The task of the round before, whose policy runs for its steps or to its share of a KL.

        Raises:
            ValueError: there is none before the first.
        """
        if self.rounds is None or self.round < 2:
            raise ValueError("there is no round before the first")
        update: dict[str, object] = {"rounds": self.rounds.before}
        if self.rounds.steps is not None:
            steps = {"max_steps": self.rounds.steps}
            update["rollout"] = self.rollout.model_copy(update=steps)
            update["pairs"] = self.pairs.model_copy(update=steps)
        return self.model_copy(update=update)

    @property
    def proxy_width(self) -> int | None:
        """Width of the proxies, or of the policy they start from; None where a folder has it."""
        if self.proxy.start == "policy" and self.policy.architecture is not None:
            return self.policy.architecture.width
        return self.proxy.width

    @field_validator("kl_grid_nats")
    @classmethod
    def _grid_rises(cls, grid_nats: tuple[float, ...]) -> tuple[float, ...]:
        if (
            not grid_nats
            or grid_nats[0] <= 0
            or any(later <= earlier for earlier, later in pairwise(grid_nats))
        ):
            raise ValueError("kl_grid_nats must be positive and strictly increasing, in nats")
        return grid_nats
