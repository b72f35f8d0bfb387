"""The command ``bench`` (alias ``overopt``): what people type, and how mistakes are told.

Heavy modules are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from overopt.commands.arguments import Request, default_workers, resolve, spread
from overopt.errors import UserError

app = typer.Typer(
    name="bench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Measure reward-model overoptimization: every method in one world, across the same KL "
    "budgets, with one estimator.\n\nStart with [bold]bench run --method dpo --kl-grid[/], look "
    "at it with [bold]bench report results/reviews[/].",
)

Method = Annotated[
    list[str] | None,
    typer.Option("--method", "-m", help="One or more methods ([bold]bench list methods[/])."),
]
Task = Annotated[str, typer.Option(help="Task by name, or a .toml file of your own.")]
Gold = Annotated[
    str | None, typer.Option(help="Gold by name or .toml file; the task's own by default.")
]
Proxy = Annotated[
    list[str] | None,
    typer.Option(help="One or more reward-side systems ([bold]bench list proxies[/]); single."),
]
ProxyWidth = Annotated[
    list[int] | None,
    typer.Option(help="Width of the proxy models, one or more; the task's by default."),
]
Comparisons = Annotated[
    list[int] | None,
    typer.Option(help="Preference pairs to learn from, one or more; the task's by default."),
]
Noise = Annotated[
    list[str] | None,
    typer.Option(
        help="Label noise, one or more: 0.25 (fraction of labels flipped), random:0.5 (fraction "
        "relabelled at random), bt:1 (Bradley-Terry temperature), heavy:0.3 (heavy-tailed error)."
    ),
]
Seeds = Annotated[int, typer.Option(min=1, help="How many seeds: 0, 1, ... (5 for intervals).")]
Seed = Annotated[list[int] | None, typer.Option(help="These seeds instead of --seeds.")]
KlGrid = Annotated[
    list[str] | None,
    typer.Option(help="KL budgets in nats; alone, or left out, the task's own grid."),
]
Along = Annotated[
    str,
    typer.Option(
        help="step: one run, snapshots as it crosses the budgets. beta: the method's knob is "
        "driven to each budget."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Override KEY=VALUE of a method (dpo.beta=0.2) or of the task (pairs.max_steps=100).",
    ),
]
StorePlace = Annotated[
    Path | None,
    typer.Option("--store", help="Artifact store; else $OVEROPT_STORE, else the user's cache."),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Worker processes, one thread each; all cores by default."),
]


@app.command("run")
def run_command(
    method: Method = None,
    task: Task = "reviews",
    gold: Gold = None,
    proxy: Proxy = None,
    proxy_width: ProxyWidth = None,
    comparisons: Comparisons = None,
    noise: Noise = None,
    seeds: Seeds = 5,
    seed: Seed = None,
    kl_grid: KlGrid = None,
    along: Along = "step",
    settings: Settings = None,
    store: StorePlace = None,
    out: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("results"),
    workers: Workers = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Run methods across KL budgets and write their points.

    Killed at any moment, the same command continues where it stopped.

    [bold]bench run --method bon dpo rloo --proxy single uwo --noise 0 0.25 --seeds 5 --kl-grid[/]
    """
    request = Request(
        method or [],
        task,
        gold,
        proxy or [],
        proxy_width or [],
        comparisons or [],
        noise or [],
        seeds,
        seed or [],
        kl_grid or [],
        along,
        settings or [],
    )
    spec = resolve(request)
    from overopt.commands.running import run

    count = workers or default_workers()
    raise typer.Exit(run(spec, store, out, count, quiet, typed()))


@app.command("plan")
def plan_command(
    method: Method = None,
    task: Task = "reviews",
    gold: Gold = None,
    proxy: Proxy = None,
    proxy_width: ProxyWidth = None,
    comparisons: Comparisons = None,
    noise: Noise = None,
    seeds: Seeds = 5,
    seed: Seed = None,
    kl_grid: KlGrid = None,
    along: Along = "step",
    settings: Settings = None,
    store: StorePlace = None,
    workers: Workers = None,
) -> None:
    """Show what [bold]bench run[/] with the same options would do and cost; nothing runs."""
    request = Request(
        method or [],
        task,
        gold,
        proxy or [],
        proxy_width or [],
        comparisons or [],
        noise or [],
        seeds,
        seed or [],
        kl_grid or [],
        along,
        settings or [],
    )
    spec = resolve(request)
    from overopt.commands.running import plan

    raise typer.Exit(plan(spec, store, workers or default_workers()))


@app.command("report")
def report_command(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders, or folders that hold them (results/reviews).")
    ],
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("report"),
) -> None:
    """Write figures (PNG, PDF), tables (CSV, TeX) and one self-contained HTML page."""
    from overopt.commands.running import report

    raise typer.Exit(report(runs, out))


@app.command("scores")
def scores_command(
    file: Annotated[Path, typer.Argument(help="Scored samples: .parquet, .csv or .jsonl.")],
    gold: Annotated[str | None, typer.Option(help="Gold column; gold.")] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="Proxy columns, or length / length_words, derived from the response column."
        ),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="Prompt id column; prompt_id.")] = None,
    sample: Annotated[str | None, typer.Option(help="Sample id column; sample_id.")] = None,
    response: Annotated[str | None, typer.Option(help="Response text column.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write curve.csv, fits.json and the figure here.")
    ] = None,
) -> None:
    """Best-of-n curves and fits from samples that somebody else scored; no model needed."""
    from overopt.commands.scoring import scores

    raise typer.Exit(scores(file, gold, proxy or [], prompt, sample, response, out))


@app.command("list")
def list_command(
    kind: Annotated[str, typer.Argument(help="methods, tasks, proxies or gold.")] = "methods",
) -> None:
    """List what there is."""
    from overopt.commands.listing import show_kind

    raise typer.Exit(show_kind(kind))


@app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="A method, proxy, task or gold, or your own file.")],
) -> None:
    """Show one method, proxy, task or gold: its paper, its settings, its values."""
    from overopt.commands.listing import show_name

    raise typer.Exit(show_name(name))


_words: list[str] = []


def typed() -> list[str]:
    """The command as the user typed it."""
    return ["bench", *_words]


def main() -> None:
    """Entry point: a user's mistake is one sentence and exit code 2, never a traceback."""
    _words[:] = sys.argv[1:]
    try:
        app(spread(_words))
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt as stop:
        sys.stderr.write(f"\n{stop or 'Stopped.'}\n")
        raise SystemExit(130) from None
