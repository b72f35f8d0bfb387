"""Checkpoints measured: ``bench measure --policy``, through the store, so that it resumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overopt.artifacts.tables import Table, read_json
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.execution.executor import Executor
from overopt.execution.node import Node, Resources
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.stage import node
from overopt.execution.store import Store
from overopt.own_runs.folders import check_model, find_checkpoints, origin_of
from overopt.own_runs.kl_column import KLColumn
from overopt.own_runs.measured import MeasuredRuns
from overopt.own_runs.words import count
from overopt.spec.origins import ModelOrigin, ReaderOrigin, check_format
from overopt.spec.placement import ACCELERATED_PARAMETERS
from overopt.stats.arrays import Floats
from overopt.stats.rise_fall import PROMPTS_MIN
from overopt.stats.runs.analysis import analyze_runs
from overopt.stats.runs.gains import RunPoints, Units
from overopt.stats.runs.turn import Turn, turn_over_prompts
from overopt.worlds.hub.folders import digest
from overopt.worlds.hub.prompt_file import PromptFile

STAGE = "overopt.stages.runs.checkpoint"
RB = KLColumn("kl_nats", "rb", "response", False, "measured here, at temperature 1")


@dataclass(frozen=True)
class CheckpointRequest:
    """What is measured, as typed.

    Attributes:
        policy: a folder of checkpoints, one checkpoint, or NAME@REVISION.
        reference: the policy that training started from, likewise.
        proxy, gold: a classifier, likewise, or a .py file; gold may be missing.
        prompts: the file of prompts.
        samples: per prompt.
        max_new_tokens: longest response.
        template, reward_template: how the policy and the rewards read.
        seed: of the samples.
        dtype: precision of all models.
    """

    policy: str
    reference: str
    proxy: str
    gold: str | None
    prompts: Path
    samples: int = 4
    max_new_tokens: int = 128
    template: str = "{prompt}"
    reward_template: str = "{prompt}{response}"
    seed: int = 0
    dtype: str = "float32"


class Plan(NamedTuple):
    """What would be measured.

    Attributes:
        nodes: the stages, the initial policy first.
        checkpoints: how many there are.
        largest: parameters of the largest model; 0 where they are not known.
    """

    nodes: list[Node]
    checkpoints: int
    largest: int

    @property
    def runs_alone(self) -> bool:
        """Whether a stage has models of a size that fills the memory of an accelerator."""
        return self.largest >= ACCELERATED_PARAMETERS


def measure_checkpoints(
    asked: CheckpointRequest,
    planned: Plan,
    store: Store,
    executor: Executor,
    out: Path | None = None,
    on_notice: Callable[[Notice], None] | None = None,
) -> MeasuredRuns:
    """Measure every checkpoint, one stage each; a repeated command continues where it stopped.

    Args:
        asked: what is measured.
        planned: its stages (`plan`).
        store: where artifacts lie.
        executor: what builds them, on the same store.
        out: a folder for the tables, the fits and the figure.
        on_notice: called with everything that happens.

    Raises:
        UserError: the first thing that is wrong; stages that were finished are kept.
        KeyboardInterrupt: finished stages are kept.
    """
    (result,) = execute([_all(planned.nodes)], store, executor, on_notice)
    if result.error is not None:
        raise UserError(result.error)
    assert result.value is not None, "a routine without an error returns a value"
    measured = _read(result.value, asked, planned)
    if out is None:
        return measured
    from overopt.own_runs.folder import write_folder

    return replace(measured, written=write_folder(out, measured))


def plan(asked: CheckpointRequest) -> Plan:
    """The stages that measure what is asked; checks all that needs no weights.

    Raises:
        UserError: the first thing that is wrong with what is asked.
    """
    for option, number in (
        ("--samples", asked.samples),
        ("--max-new-tokens", asked.max_new_tokens),
    ):
        if number < 1:
            raise UserError(f"{option} {number}: give at least 1")
    if asked.seed < 0:
        raise UserError(f"--seed {asked.seed}: a seed is a whole number from 0")
    if asked.dtype not in ("float32", "bfloat16", "float16"):
        raise UserError(f"--dtype {asked.dtype}: give float32, bfloat16 or float16")
    reference = origin_of(asked.reference, "--reference", asked.dtype)
    largest = check_model(reference, "--reference", "causal")
    found = find_checkpoints(asked.policy, asked.dtype)
    for one in found:
        check_model(one.origin, f"checkpoint {one.step}:", "causal")
    PromptFile(reference, str(asked.prompts), asked.template, asked.max_new_tokens)
    proxy, gold = _reward(asked.proxy, "proxy", asked), None
    own = [asked.proxy] if "file" in proxy else []
    if asked.gold is not None:
        gold = _reward(asked.gold, "gold", asked)
        own += [asked.gold] if "file" in gold else []
    files = sorted({str(Path(one).resolve()) for one in own})
    if len({Path(one).name for one in files}) < len(files):
        raise UserError("--proxy and --gold are two files of one name; rename one of them")
    shared = {
        "reference": reference.model_dump(mode="json"),
        "prompts": {
            "path": str(asked.prompts.resolve()),
            "digest": digest(asked.prompts),
        },
        "template": asked.template,
        "max_new_tokens": asked.max_new_tokens,
        "samples": asked.samples,
        "seed": asked.seed,
        "proxy": proxy,
        "gold": gold,
    }
    wanted: list[tuple[int, ModelOrigin | None]] = [(0, None)]
    wanted += [(one.step, one.origin) for one in found if one.step > 0]
    nodes = [
        node(
            STAGE,
            {**shared, "step": step, "policy": origin and origin.model_dump(mode="json")},
            label=f"checkpoint {step}" if origin is not None else "reference",
            extra_code=files,
            resources=Resources(timeout_s=None),
            kind="checkpoint",
        )
        for step, origin in wanted
    ]
    return Plan(nodes, len(nodes) - 1, largest)


def _reward(given: str, role: str, asked: CheckpointRequest) -> dict[str, Any]:
    """A reward as parameters of a stage."""
    if is_file(given):
        if not Path(given).is_file():
            raise UserError(f"--{role} {given}: there is no such file; give one that exists")
        return {"file": Path(given).name}
    origin = origin_of(given, f"--{role}", asked.dtype)
    check_model(origin, f"--{role}", "classifier")
    try:
        check_format(asked.reward_template, ("{prompt}", "{response}"))
    except ValueError as error:
        raise UserError(f"--reward-template {asked.reward_template}: {error}") from error
    reader = ReaderOrigin.model_validate(
        {**origin.model_dump(exclude_unset=True), "format": asked.reward_template}
    )
    return {"classifier": reader.model_dump(mode="json")}


def _all(nodes: Sequence[Node]) -> Generator[Sequence[Node], Mapping[str, Outcome], list[Path]]:
    """The artifacts of all nodes; the first failure speaks for all."""
    outcomes = yield nodes
    paths: list[Path] = []
    for made in nodes:
        outcome = outcomes[made.key]
        if outcome.failure is not None:
            said = outcome.failure.message.rstrip(".")
            raise UserError(
                f"{outcome.failure.title}: {said}; finished checkpoints are kept, and the same "
                "command continues"
            )
        assert outcome.path is not None, "a node without a failure has an artifact"
        paths.append(outcome.path)
    return paths


def _read(paths: Sequence[Path], asked: CheckpointRequest, planned: Plan) -> MeasuredRuns:
    """What the artifacts say."""
    points: list[dict[str, Any]] = [read_json(path / "point.json") for path in paths]
    has_gold = asked.gold is not None
    gold_K = [float(one["gold"]) if has_gold else math.nan for one in points]
    run = RunPoints(
        np.array([one["step"] for one in points], np.int64),
        np.array([max(float(one["kl_nats"]), 0.0) for one in points]),
        np.array([float(one["proxy"]) for one in points]),
        np.array(gold_K),
    )
    if not run.kl_K.max() > 0.0:
        raise UserError(
            f"--policy {asked.policy}: every checkpoint is the reference itself (KL 0); give the "
            "model that training started from as --reference"
        )
    units = Units(points[0].get("proxy_sd"), points[0].get("gold_sd"))
    report = analyze_runs([run], units, _turn(paths, points, units) if has_gold else None)
    notes = [
        f"{count(planned.checkpoints, 'checkpoint')}, {points[0]['n_prompts']} prompts, "
        f"{asked.samples} samples each, temperature 1",
    ]
    return MeasuredRuns(
        report=report,
        kl=RB,
        names=(asked.policy,),
        proxy=asked.proxy,
        gold=asked.gold,
        notes=tuple(notes),
        advised_steps=(),
        candidates=(),
        proxy_rows=(tuple(run.proxy_K.tolist()),),
        gold_rows=(tuple(gold_K),),
        measures=tuple(points),
    )


def _turn(paths: Sequence[Path], points: Sequence[dict[str, Any]], units: Units) -> Turn | None:
    """Peak and end over prompts, paired with the initial policy's own samples."""
    prompts = int(points[0]["n_prompts"])
    if prompts < PROMPTS_MIN:
        return None
    gold_KB: Floats = np.stack(
        [
            Table(path / "samples.parquet").floats("gold").reshape(prompts, -1).mean(1)
            for path in paths
        ]
    )
    gain_KB = (gold_KB[1:] - gold_KB[:1]) / (units.gold_sd or 1.0)
    kl_K = np.array([float(one["kl_nats"]) for one in points[1:]])
    return turn_over_prompts([int(one["step"]) for one in points[1:]], kl_K, gain_KB)
