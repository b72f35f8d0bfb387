"""What ``bench run`` and ``bench plan`` can be asked for: every option stated once."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

_WHAT = "What to compare"
_DATA = "Preference data and proxies"
_AXIS = "KL from the initial policy"
_ENGINE = "Training engine"


def _several(name: str, metavar: str, text: str, panel: str, *more: str) -> Any:
    """An option that takes one or more values (``arguments.spread``)."""
    return typer.Option(name, *more, metavar=f"{metavar}...", help=text, rich_help_panel=panel)


@dataclass(frozen=True)
class Request:
    """The options of ``bench run`` and ``bench plan`` as typed; nothing is checked yet."""

    method: Annotated[
        list[str],
        _several(
            "--method",
            "NAME",
            "One or more of [bold]bench list methods[/], or a .py file of your own; "
            "[bold]all[/], or [bold]family:pairs[/] for those of a family.",
            _WHAT,
            "-m",
        ),
    ] = field(default_factory=list)
    proxy: Annotated[
        list[str],
        _several(
            "--proxy",
            "NAME",
            "Proxy reward models: one or more of [bold]bench list proxies[/], or a .py file of "
            "your own; by default single.",
            _WHAT,
        ),
    ] = field(default_factory=list)
    stored: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN.JSON",
            help="Repeat a stored run with its own settings: its [bold]run.json[/], or its folder. "
            "No other option about what to compare goes with it.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    task: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="One of [bold]bench list tasks[/], or a .toml file of your own.",
            rich_help_panel=_WHAT,
        ),
    ] = "reviews"
    gold: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Gold reward: one of [bold]bench list gold[/], or a .toml file of your own; by "
            "default the task's.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    settings: Annotated[
        list[str],
        _several(
            "--set",
            "KEY=VALUE",
            "Change a setting of a method or proxy ([bold]dpo.beta=0.2[/]) or of the task "
            "([bold]pairs.max_steps=100[/]); [bold]bench show NAME[/] lists them.",
            _WHAT,
        ),
    ] = field(default_factory=list)
    axis: Annotated[
        list[str],
        _several(
            "--axis",
            "KEY=V,V",
            "Run at several levels of a setting, each a result of its own: "
            "[bold]comparisons=256,1024[/], [bold]width=16,32[/], [bold]policy-width=32,64[/], "
            "[bold]epochs=1,4[/], [bold]rounds=1,2,3[/], or any key of --set, such as "
            "[bold]uwo.members=1,3,5[/]. Several axes are crossed.",
            _WHAT,
        ),
    ] = field(default_factory=list)
    rates: Annotated[
        Path | None,
        typer.Option(
            metavar="RATES.JSON",
            help="Train each method at the learning rate that [bold]bench tune[/] has chosen; by "
            "default all at the task's, which ranks nobody.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    seeds: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="How many seeds, 0 to N-1; with fewer than 5, intervals are exploratory.",
            rich_help_panel=_WHAT,
        ),
    ] = 5
    seed: Annotated[
        list[int], _several("--seed", "S", "These seeds instead of the first --seeds.", _WHAT)
    ] = field(default_factory=list)
    worlds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How many worlds, of seeds 0 to N-1, each with prompts, gold and initial policy "
            "of its own; the task's one world if left out. An interval across worlds needs 3.",
            rich_help_panel=_WHAT,
        ),
    ] = None
    world: Annotated[
        list[int],
        _several("--world", "W", "The worlds of these seeds instead of the first --worlds.", _WHAT),
    ] = field(default_factory=list)
    noise: Annotated[
        list[str],
        _several(
            "--noise",
            "NOISE",
            "Label noise: [bold]0.25[/] flips that fraction of the labels, [bold]random:0.5[/] "
            "relabels a fraction by a coin, [bold]bt:1[/] draws preferences at a Bradley-Terry "
            "temperature, [bold]heavy:0.3[/] adds heavy-tailed error; by default 0.",
            _DATA,
        ),
    ] = field(default_factory=list)
    rounds: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Rounds of relabeling: gold labels pairs of each round's last policy, proxies "
            "are trained anew, and the next round runs against them; results of rounds 1 to K. "
            "[bold]--set rounds.data=last[/], [bold]rounds.start=last[/], "
            "[bold]rounds.steps=100[/] say how.",
            rich_help_panel=_DATA,
        ),
    ] = None
    flaw: Annotated[
        list[str],
        _several(
            "--flaw",
            "NAME:DOSE",
            "Flaws of the labels that proxies learn from, at a dose from 0 to 1, each beside the "
            "run without it: [bold]length:0.5[/], [bold]lexical[/], [bold]praise[/], "
            "[bold]blind-spot[/], [bold]coverage[/], or [bold]placebo[/], which does nothing.",
            _DATA,
        ),
    ] = field(default_factory=list)
    comparisons: Annotated[
        list[int],
        _several("--comparisons", "P", "Number of preference pairs; by default the task's.", _DATA),
    ] = field(default_factory=list)
    proxy_start: Annotated[
        list[str],
        _several(
            "--proxy-start",
            "START",
            "What proxies start from: [bold]scratch[/], small and untrained; [bold]policy[/], the "
            "initial policy with a fresh head, so that width, depth and pretraining match those "
            "of the policy; on hub tasks also [bold]base[/], the task's base model. By "
            "default the task's.",
            _DATA,
        ),
    ] = field(default_factory=list)
    proxy_width: Annotated[
        list[int],
        _several(
            "--proxy-width",
            "W",
            "Width of the proxy models from scratch; by default the task's.",
            _DATA,
        ),
    ] = field(default_factory=list)
    kl_grid: Annotated[
        list[str],
        _several(
            "--kl-grid",
            "[NATS]",
            "KL budgets in nats per response. Alone or left out: the task's own grid, which keeps "
            "runs comparable.",
            _AXIS,
        ),
    ] = field(default_factory=list)
    along: Annotated[
        str,
        typer.Option(
            metavar="step|knob",
            help="step: one training run, kept as it crosses each budget. knob: the method's knob, "
            "such as beta, is driven to each budget by runs of their own.",
            rich_help_panel=_AXIS,
        ),
    ] = "step"
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="native|stacked|trl",
            help="native: fast on small models. stacked: many seeds side by side, for small "
            "models on a GPU. trl: the same methods inside TRL's trainers, for "
            "models of real size. By default trl on hub tasks, if it runs all of the methods, and "
            "native on generated worlds. Settings of trl: [bold]--set trl.bf16=true[/], "
            "[bold]trl.processes=2[/], [bold]trl.lora_rank=16[/] and more.",
            rich_help_panel=_ENGINE,
        ),
    ] = None


def _unlisted(annotation: Any) -> Any:
    """The same option, left out of a command's help."""
    kind, option = get_args(annotation)
    option = copy.copy(option)
    option.hidden = True
    return Annotated[kind, option]


def takes(
    options: type[Any], unlisted: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a dataclass, gathered into its first argument.

    The command line's library reads options from a function's signature. Several commands may share
    these, so the signature is built here instead of being written again.

    Args:
        options: the dataclass.
        unlisted: fields that the command has no use for, which its help leaves out.
    """
    hints = get_type_hints(options, include_extras=True)
    hints |= {name: _unlisted(hints[name]) for name in unlisted}
    shared = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=one.default if one.default_factory is MISSING else one.default_factory(),
            annotation=hints[one.name],
        )
        for one in fields(options)
    ]

    def give(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command, eval_str=True).parameters.values()

        @functools.wraps(command)
        def gathered(**given: Any) -> None:
            asked = options(**{one.name: given.pop(one.name) for one in fields(options)})
            command(asked, **given)

        keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        vars(gathered)["__signature__"] = inspect.Signature([*shared, *keywords])
        return gathered

    return give


takes_request = takes(Request)

takes_data = takes(Request, ("method", "rates", "kl_grid", "along", "engine"))
"""For commands that read proxies or draw best-of-n, and optimize nothing."""
