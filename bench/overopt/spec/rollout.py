"""Training settings of methods that learn from their own samples: rollout and iterative."""

from __future__ import annotations

from pydantic import Field

from overopt.spec.frozen import Spec


class RolloutSpec(Spec):
    """Machinery of online methods: prompts per step, samples per prompt, optimizer."""

    learning_rate: float = Field(gt=0)
    prompts_per_step: int = Field(gt=0)
    samples_per_prompt: int = Field(gt=1)
    max_steps: int = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    max_gradient_norm: float = Field(1.0, gt=0)
