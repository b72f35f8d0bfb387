"""What ``bench measure`` can be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from overopt.commands.request import takes

_LOG = "Columns of a log"
_CHECKPOINTS = "Checkpoints instead of a log"


def _option(metavar: str, text: str, panel: str | None = None) -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=panel)


@dataclass(frozen=True)
class Measure:
    """The options of ``bench measure`` as typed; nothing is checked yet."""

    logs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="LOG...",
            help="Logs of a training run: .csv, .jsonl, a trainer_state.json or a folder that "
            "holds one. Several are seeds of the same training.",
        ),
    ] = field(default_factory=list)
    proxy: Annotated[
        str | None,
        _option(
            "COLUMN|MODEL",
            "Of a log, the column of the proxy reward. Of checkpoints, the proxy: a reward model's "
            "folder, NAME@REVISION of a hub, or your own .py file.",
        ),
    ] = None
    gold: Annotated[
        str | None,
        _option(
            "COLUMN|MODEL",
            "Gold, likewise. Of a log it may be missing; then you are told which checkpoints to "
            "score.",
        ),
    ] = None
    kl: Annotated[
        str | None, _option("COLUMN", "KL from the reference; known names are found.", _LOG)
    ] = None
    step: Annotated[str | None, _option("COLUMN", "Training step.", _LOG)] = None
    length: Annotated[
        str | None,
        _option(
            "COLUMN",
            "Mean tokens of a response; turns a KL per token into one per response.",
            _LOG,
        ),
    ] = None
    kl_estimator: Annotated[
        str | None,
        _option(
            "KIND",
            "k1, k2, k3, rb or exact, with /token or /response behind it, where the name of the "
            "column does not tell.",
            _LOG,
        ),
    ] = None
    proxy_sd: Annotated[
        float | None,
        _option("SD", "Standard deviation of the proxy under the initial policy; for gamma.", _LOG),
    ] = None
    gold_sd: Annotated[
        float | None,
        _option("SD", "Standard deviation of gold under the initial policy; for gamma.", _LOG),
    ] = None
    policy: Annotated[
        list[str] | None,
        _option(
            "DIR",
            "A folder of checkpoint-* folders, one checkpoint, or NAME@REVISION of a hub. Given "
            "several times: seeds of the same training.",
            _CHECKPOINTS,
        ),
    ] = field(default_factory=list)
    reference: Annotated[
        str | None,
        _option(
            "MODEL",
            "The policy that training started from: a folder, or NAME@REVISION of a hub.",
            _CHECKPOINTS,
        ),
    ] = None
    prompts: Annotated[
        Path | None,
        _option(
            "FILE",
            "Prompts: .jsonl, .json or .parquet with a column prompt (text, or a list of "
            "messages), or .txt with one prompt a line.",
            _CHECKPOINTS,
        ),
    ] = None
    samples: Annotated[int, _option("N", "Samples per prompt.", _CHECKPOINTS)] = 4
    max_new_tokens: Annotated[int, _option("T", "Longest response in tokens.", _CHECKPOINTS)] = 128
    template: Annotated[
        str,
        _option(
            "TEXT",
            "How the policy reads a prompt: text with {prompt} in it, or chat for the reference's "
            "chat template.",
            _CHECKPOINTS,
        ),
    ] = "{prompt}"
    reward_template: Annotated[
        str,
        _option(
            "TEXT",
            "How reward models read: text with {prompt} and {response} in it, or chat.",
            _CHECKPOINTS,
        ),
    ] = "{prompt}{response}"
    seed: Annotated[int, _option("S", "Seed of the samples.", _CHECKPOINTS)] = 0
    dtype: Annotated[
        str, _option("TYPE", "Precision: float32, bfloat16 or float16.", _CHECKPOINTS)
    ] = "float32"
    out: Annotated[
        Path | None,
        _option(
            "FOLDER",
            "Write curve.csv, fits.json and the figure here; of checkpoints with gold also a run "
            "folder, which bench report and bench compare read.",
        ),
    ] = None
    monitor: Annotated[
        list[str] | None,
        _option(
            "NAME",
            "One of bench list monitors, or a .py file of your own, at the limit of its file; "
            "give the option once for each. By default all but the constant stop.",
        ),
    ] = field(default_factory=list)


takes_measure = takes(Measure)
