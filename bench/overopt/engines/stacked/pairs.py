"""The stacked engine of the pairs family: many cells' pairs in, a trajectory for each out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from overopt.engines.contract import RunInputs
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.stacked.cell import StackedCell, longest_row, rectangle
from overopt.engines.stacked.memory import recall, remember
from overopt.engines.stacked.model import StackedPolicy, stack, unstack
from overopt.engines.stacked.optimizer import StackedAdam
from overopt.engines.walk.trajectory import Trajectory
from overopt.errors import UserError
from overopt.execution.contract import Progress, silent
from overopt.models.weights import weights_of
from overopt.spec.pairs import PairsSpec

REMEMBER_STEPS = 50
"""Steps after which a killed stack can be continued."""


@dataclass(frozen=True)
class Outcome:
    """What a cell leaves, or why it failed."""

    trajectory: Trajectory
    error: str | None


def optimize_stack(
    method: OpenedPairs,
    settings: PairsSpec,
    cells: Sequence[RunInputs],
    width: int,
    rates: Sequence[float] | None = None,
    kept: Path | None = None,
    progress: Progress = silent,
    device: torch.device | None = None,
) -> list[Outcome]:
    """Train cells that differ in their data and randomness side by side.

    Each step is one pass over a stack of ``width`` policies, whose rows form a rectangle of the
    world's longest prompt and response. Places without a cell, and cells that are over, are dummies
    that learn nothing. Order of pairs, KL probes and walks are those of the native engine, cell by
    cell. A cell whose loss or KL is not finite fails alone.

    Args:
        method: which supplies ``loss`` and asks for nothing besides.
        settings: learning rate, batch size, number of steps.
        cells: what each is given, at most ``width`` of them, of one world.
        width: of the stack.
        rates: learning rate of each cell; by default that of the settings.
        kept: folder that outlives a killed process.
        progress: told the fraction done.
        device: of the stack; by default an accelerator where there is one.

    Raises:
        UserError: the method asks for more than log-probabilities of pairs.
    """
    check_method(method)
    if len(cells) > width:
        raise ValueError(f"{len(cells)} cells do not fit into a stack of {width}")
    rows, length = 2 * settings.batch_size, longest_row(cells[0])
    if device is None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    policy = StackedPolicy(cells[0].policy)
    first = [weights_of(cells[min(place, len(cells) - 1)].policy) for place in range(width)]
    weights = {name: value.to(device) for name, value in stack(first).items()}
    rate_C = [*(rates or [settings.learning_rate] * len(cells))]
    rate_C += [0.0] * (width - len(cells))
    adam = StackedAdam(weights, rate_C, settings.warmup_steps, settings.max_gradient_norm)
    own = [StackedCell(method, settings, inputs) for inputs in cells]
    if kept is not None:
        recall(kept, adam, own)
    while not all(cell.over for cell in own):
        _step(policy, adam, own, width, rows, length)
        if kept is not None and adam.steps_taken % REMEMBER_STEPS == 0:
            remember(kept, adam, own)
        done = [1.0 if cell.over else cell.walk.fraction(adam.steps_taken) for cell in own]
        going = sum(not cell.over for cell in own)
        progress(min(done), f"step {adam.steps_taken}, {going} of {len(own)} cells on their way")
    return [Outcome(cell.trajectory, cell.error) for cell in own]


def _step(
    policy: StackedPolicy,
    adam: StackedAdam,
    cells: Sequence[StackedCell],
    width: int,
    rows: int,
    length: int,
) -> None:
    """One gradient step of every cell that is not over."""
    drafts = [None if cell.over else cell.draft() for cell in cells]
    drafts += [None] * (width - len(cells))
    some = next(iter(adam.weights.values()))
    logits_CRLV = policy.logits(adam.weights, rectangle(drafts, rows, length).to(some.device))
    pairs = {
        place: cells[place].read(draft, logits_CRLV[place])
        for place, draft in enumerate(drafts)
        if draft is not None
    }
    losses = {place: cells[place].loss(read) for place, read in pairs.items()}
    active_C = torch.tensor([draft is not None for draft in drafts])
    norm_C = adam.step(torch.stack(list(losses.values())).sum(), active_C).tolist()
    for place, draft in enumerate(drafts):
        if draft is None:
            continue
        weights = unstack(adam.weights, place)
        try:
            loss = losses[place].item()
            cells[place].observe(draft, pairs[place], loss, norm_C[place], weights)
        except FloatingPointError as error:
            cells[place].error = str(error)


def check_method(method: OpenedPairs) -> None:
    """Refuse a method that a stack cannot train.

    Raises:
        UserError: it asks for inputs, has a module, or acts between steps.
    """
    asked: Mapping[str, bool] = {
        "inputs beside log-probabilities": bool(method.inputs),
        "hooks on weights": method.acts_on_weights,
        "a second gradient": method.perturbs,
        "functions of the native engine": bool(method.native_only),
    }
    found = [what for what, is_asked in asked.items() if is_asked]
    if found:
        raise UserError(
            f"{method.name} has {' and '.join(found)}, which the engine stacked does not serve; "
            "give --engine native."
        )
