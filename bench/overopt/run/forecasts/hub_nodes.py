"""What the node of a hub run says of its sizes."""

from __future__ import annotations

from overopt.execution.node import Node
from overopt.spec.declare import COUNTED
from overopt.spec.hub import HubSpec, TaskWorldSpec
from overopt.spec.method import MethodSpec
from overopt.spec.policy import PolicySpec
from overopt.spec.proxy import ProxySpec

EARLY_POLICIES = 3
"""Policies kept on the way to the first budget (``engines.kl_walk``)."""
LONGEST_GAP = 0.25
"""Steps between two such estimates, as a fraction of those taken (``engines.walk.kl_walk``)."""
_TOKEN_BYTES = 2
NUMBERS_BYTES = 64
"""On disk: a token of a response, and the numbers that stand beside a response."""


def policies_of(optimized: Node) -> int:
    """Policies that a run keeps at most: one a budget, a few early ones, and the last."""
    budgets = len(optimized.params["kl_grid_nats"])
    return budgets + EARLY_POLICIES + (optimized.name == "optimize") if budgets else 1


def models_of(optimized: Node) -> int:
    """Models that one policy of a run is made of: a composed one of the initial policy and more."""
    return len(optimized.inputs) if optimized.name == "compose" else 1


def evaluation_rows(made: Node) -> int:
    """Responses of an evaluation, of all its policies, whoever drew them."""
    drawn = input_of(made, "optimize")
    if drawn.name == "particles":
        return len(drawn.params["kl_grid_nats"]) * pool_rows(drawn)
    return (
        policies_of(drawn) * world_of(made).heldout_prompts * int(made.params["samples_per_prompt"])
    )


def ranked_rows(made: Node) -> int:
    """Responses that every policy of a run, and the initial one, reads to rank pairs.

    Of those held out and of those trained on; of those held out alone for calibration.
    """
    policies = 1 + policies_of(input_of(made, "optimize"))
    sets = 1 if made.name == "calibration" else 2
    return policies * sets * 2 * int(made.params["pairs"])


def pool_rows(made: Node) -> int:
    """Responses of a pool."""
    return world_of(made).heldout_prompts * int(made.params["samples_per_prompt"])


def pair_count(pairs: Node) -> int:
    """Comparisons, and the held-out ones."""
    return int(pairs.params["comparisons"]) + int(pairs.params["calibration_samples"]) // 2


def row_bytes(made: Node) -> int:
    """Bytes on disk of a response and the numbers beside it."""
    return _TOKEN_BYTES * hub_of(made).response_tokens + NUMBERS_BYTES


def lengths(hub: HubSpec) -> tuple[int, int]:
    """Tokens of the longest prompt and response; a prompt without a limit is taken for as long."""
    return hub.prompt_tokens or hub.response_tokens, hub.response_tokens


def input_of(made: Node, role: str) -> Node:
    """An input by its role."""
    return dict(made.inputs)[role]


def world_of(made: Node) -> TaskWorldSpec:
    """The world's specification."""
    return TaskWorldSpec.model_validate(made.params["world"])


def hub_of(made: Node) -> HubSpec:
    """What the task says of its models and data."""
    hub = world_of(made).hub
    assert hub is not None
    return hub


def proxy_of(made: Node) -> ProxySpec:
    """The proxy's specification."""
    return ProxySpec.model_validate(made.params["proxy"])


def policy_of(made: Node) -> PolicySpec:
    """The initial policy's specification."""
    return PolicySpec.model_validate(made.params["policy"])


def count_probes(steps: int) -> int:
    """KL estimates of a run whose steps draw no samples; those just before budgets come on top."""
    count, step = 0, 0
    while step < steps:
        step += max(1, int(LONGEST_GAP * step))
        count += 1
    return count


def samples_beside(method: MethodSpec) -> tuple[int, int]:
    """Samples of the initial policy beside each pair: all of them, and those that are read."""
    asked = {"reference_scores", "listed"}.intersection(method.needs)
    samples = int(method.config[COUNTED["listed"]]) if asked else 0
    return samples, samples if "listed" in asked else 0
