"""The stacked engine of the pairs family: many cells' pairs in, a trajectory for each out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from overopt.engines.contract import RunInputs
from overopt.engines.method.loading import open_as
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.stacked.cell import longest_prompt, rectangle
from overopt.engines.stacked.pair_cell import PairCell
from overopt.engines.stacked.serving import check_method
from overopt.engines.stacked.stack import Outcome, Stack, check_width, place_for
from overopt.execution.contract import Progress, silent
from overopt.spec.method import MethodSpec
from overopt.spec.pairs import PairsSpec


def optimize(
    method: MethodSpec,
    settings: Mapping[str, object],
    cells: Sequence[RunInputs],
    width: int,
    kept: Path | None,
    progress: Progress,
) -> list[Outcome]:
    """Runs of this family; see ``optimize_stack``."""
    opened = open_as(OpenedPairs, method)
    spec = PairsSpec.model_validate(settings)
    return optimize_stack(opened, spec, cells, width, kept=kept, progress=progress)


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
    world's longest prompt and response. Order of pairs, KL probes and walks are those of the native
    engine, cell by cell. A cell whose loss or KL is not finite fails alone.

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
    check_method("pairs", method)
    check_width(cells, width)
    own = [PairCell(method, settings, inputs) for inputs in cells]
    stack = Stack(own, settings, width, rates, place_for(device))
    length = longest_prompt(cells[0]) + cells[0].max_new_tokens
    return stack.train(partial(_step, stack, 2 * settings.batch_size, length), kept, progress)


def _step(stack: Stack[PairCell], rows: int, length: int) -> None:
    """One gradient step of every cell that is not over."""
    going = stack.going
    drafts = {place: cell.draft() for place, cell in going.items()}
    batches = [drafts[place].batch if place in drafts else None for place in range(stack.width)]
    ids_CRL = rectangle(batches, rows, length).to(stack.device)
    logits_CRLV = stack.policy.read(stack.adam.weights, ids_CRL).logits_CRLV.unbind(0)
    pairs = {place: cell.read(drafts[place], logits_CRLV[place]) for place, cell in going.items()}
    losses = {place: going[place].loss(read) for place, read in pairs.items()}
    norms = stack.step(losses)
    for place, cell in going.items():
        with cell.failing_alone():
            loss, weights = losses[place].item(), stack.weights_at(place)
            cell.observe(drafts[place], pairs[place], loss, norms[place], weights)
