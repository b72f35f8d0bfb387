"""What is computed and held where models of a hub run are trained; formulas: ``hub_work``."""

from __future__ import annotations

from dataclasses import dataclass, field

from overopt.run.forecasts.hub_nodes import lengths
from overopt.run.forecasts.machines import Phase
from overopt.run.forecasts.model_sizes import Shape
from overopt.spec.hub import HubSpec
from overopt.spec.trl import TrlSpec

WHOLE_BATCHES = TrlSpec()
"""How the native engine trains: one process, a batch in one pass, all weights."""


@dataclass
class Work:
    """What a stage does.

    phases: what is computed, in order. load_bytes: weights read from disk. memory_bytes: weights,
    gradients, moments, activations and logits at once. cache_row_bytes: keys and values of one
    sampled row; as many rows as fit are sampled at once. disk_bytes: of the artifact.
    largest: parameters of the largest model. trains: whether a model is trained.
    """

    phases: list[Phase] = field(default_factory=list)
    load_bytes: float = 0.0
    memory_bytes: float = 0.0
    cache_row_bytes: float = 0.0
    disk_bytes: float = 0.0
    largest: float = 0.0
    trains: bool = False

    @property
    def operations(self) -> float:
        """Floating-point operations of all phases."""
        return sum(phase.operations for phase in self.phases)

    def hold(self, *models: Shape) -> None:
        """Load models, which stay in memory together."""
        self.load_bytes += sum(model.weight_bytes for model in models)
        self.memory_bytes += sum(model.weight_bytes for model in models)
        self.largest = max(self.largest, *(model.parameters for model in models))

    def share(self, processes: int) -> None:
        """Let each of some processes, with a device of its own, compute its part."""
        self.phases = [
            Phase(phase.operations / processes, phase.dtype, phase.read_bytes / processes)
            for phase in self.phases
        ]


def add_training(
    work: Work,
    model: Shape,
    hub: HubSpec,
    rows: float,
    rows_at_once: int,
    options: TrlSpec = WHOLE_BATCHES,
    is_classifier: bool = False,
) -> None:
    """Training of a held model on rows in all, so many in one pass forward and backward.

    options: of the trl engine.
    """
    prompt, response = lengths(hub)
    a_step = 4.0 if options.lora_rank else 6.0
    if options.gradient_checkpointing:
        a_step += 2.0
    dtype = "bfloat16" if options.bf16 else model.dtype
    work.phases.append(Phase(a_step * model.parameters * rows * (prompt + response), dtype))
    numbers = 1 if options.gradient_checkpointing else 17
    layer_bytes = numbers * model.width * model.layers * model.number_bytes
    work.memory_bytes += rows_at_once * (prompt + response) * layer_bytes
    if not options.lora_rank:
        work.memory_bytes += 3 * model.weight_bytes
    if not is_classifier:
        work.memory_bytes += 4 * 4 * rows_at_once * response * model.vocabulary
    work.trains = True


def forward_operations(model: Shape, rows: float, hub: HubSpec) -> float:
    """Floating-point operations of one pass forward over whole rows."""
    return 2.0 * model.parameters * rows * sum(lengths(hub))
