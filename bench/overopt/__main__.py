"""The command ``bench`` (alias ``overopt``): what people type, and how mistakes are reported.

``python -m overopt`` is the same command. Heavy modules are imported inside the commands, so that
``--help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from overopt.commands.accelerated.command import add_gpu_table
from overopt.commands.admit.command import add_admit
from overopt.commands.arguments import spread
from overopt.commands.axes.grid import resolve_all
from overopt.commands.examination.command import add_examine
from overopt.commands.extrapolation.command import add_extrapolate
from overopt.commands.leaderboard.command import add_leaderboard
from overopt.commands.machine import check_folder, count_workers
from overopt.commands.monitor.command import add_monitor
from overopt.commands.options.executor import Address, ExecutorName, Gpus, Machines
from overopt.commands.options.machine import MACHINE, AsJson, Quiet, StorePlace, Workers
from overopt.commands.options.measure import Measure, takes_measure
from overopt.commands.reproduce.command import add_reproduce
from overopt.commands.request import Request, takes_request
from overopt.commands.shell.beside import add_commands, program
from overopt.commands.shell.completion import ASK, offer
from overopt.commands.shell.ending import about_defect, about_disk, end, print_any_letter
from overopt.commands.shell.words import WORDS, typed
from overopt.commands.submit.command import add_submit
from overopt.commands.tuning.command import add_tune
from overopt.commands.verify.command import add_verify
from overopt.commands.worker.command import add_worker
from overopt.errors import UserError
from overopt.run.forecasts.stages import Forecast
from overopt.spec.run import RunSpec

app = typer.Typer(
    name="bench",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure reward-model overoptimization: every method in one world, at the same KL "
    "budgets, with one estimator.\n\nStart with [bold]bench run --method dpo --kl-grid[/], then "
    "draw it with [bold]bench report results/reviews[/]. [bold]bench list[/] shows what can be "
    "compared.",
)

OnlyMethods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        metavar="NAME...",
        help="Only these methods; family:rollout names those of a family.",
    ),
]
OnlyNoises = Annotated[
    list[str] | None, typer.Option("--noise", metavar="LEVEL...", help="Only these noise levels.")
]


def _tell_version(asked: bool) -> None:
    if asked:
        from overopt import __version__

        sys.stdout.write(f"overopt {__version__}\n")
        raise typer.Exit


@app.callback()
def options_of_all(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options that go without a command."""


@app.command("run")
@takes_request
def run_command(
    request: Request,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Results go to FOLDER/task/method/run.",
            rich_help_panel=MACHINE,
        ),
    ] = Path("results"),
    store: StorePlace = None,
    workers: Workers = None,
    quiet: Quiet = False,
    report_to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRACKER...",
            help="Send training step by step to tensorboard, wandb or another tracker of "
            "transformers, once the results are written.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    executor: ExecutorName = "local",
    address: Address = None,
    gpus: Gpus = 1.0,
) -> None:
    """Run methods at KL budgets and write their points.

    Killed at any moment, the same command continues where it stopped.

    [bold]bench run -m bon dpo rloo --proxy single uwo --noise 0 0.25 --kl-grid[/]
    """
    specs, count = resolve_all(request), count_workers(workers)
    check_folder("--out", out)
    machines = Machines(executor, address, workers, gpus)
    machines.check()
    from overopt.commands.run import run

    try:
        code = run(specs, store, out, count, quiet, typed(), report_to or [], machines)
    except KeyboardInterrupt as stop:
        sys.stderr.write(f"\n{stop or 'Stopped.'}\n")
        code = 130
    raise typer.Exit(code)


@app.command("plan")
@takes_request
def plan_command(
    request: Request, store: StorePlace = None, workers: Workers = None, as_json: AsJson = False
) -> None:
    """Show what [bold]bench run[/] would do and cost; nothing runs.

    It takes the same options, says which stages are cached, and estimates the rest.
    """
    specs, count = resolve_all(request), count_workers(workers)
    from overopt.commands.plan import plan

    raise typer.Exit(plan(specs, store, count, as_json))


@app.command("report")
def report_command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Run folders, or folders that hold them (results/reviews)."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Where the report goes: new, empty, or a report, which is replaced.",
        ),
    ] = Path("report"),
    method: OnlyMethods = None,
    proxy: Annotated[
        list[str] | None, typer.Option(metavar="NAME...", help="Only these proxies.")
    ] = None,
    noise: OnlyNoises = None,
    figures: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND...",
            help="Static figures (PNG, PDF): gold, gap, front, sizes, fits, residuals, "
            "estimators, training, pareto; all or none. By default the first four, in which "
            "methods meet.",
        ),
    ] = None,
    workers: Workers = None,
) -> None:
    """Write one self-contained HTML page, tables (CSV, TeX) and figures (PNG, PDF).

    The page shows all methods in one chart and one table first, then each method folded.
    """
    from overopt.commands.report import report
    from overopt.report.stored.selection import Selection

    selection = Selection(tuple(method or ()), tuple(proxy or ()), tuple(noise or ()))
    raise typer.Exit(report(runs, out, selection, figures or (), count_workers(workers)))


@app.command("compare")
def compare_command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Run folders, or folders that hold them (results/reviews)."
        ),
    ],
    at_kl: Annotated[float, typer.Option(metavar="NATS", help="Compare gold at this KL.")] = 4.0,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="METHOD", help="Set the others against it; by default the best."),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(metavar="NAME", help="gold-at-kl, peak, end or hypervolume."),
    ] = "gold-at-kl",
    method: OnlyMethods = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME...", help="Only against these proxies; methods that see none stay."
        ),
    ] = None,
    noise: OnlyNoises = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all numbers as JSON and nothing else.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write CSV, JSON and a LaTeX table here."),
    ] = None,
    transfer: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Rank proxies here and there instead.")
    ] = None,
    systems: Annotated[
        bool,
        typer.Option("--systems", help="Compare methods with the proxies they see: bon × uwo."),
    ] = False,
) -> None:
    """Say which method is best, by how much, and whether the difference is significant.

    Methods are compared in the same worlds, with the same seeds, prompts, label noise and proxy.
    Every pair is tested, and Holm's correction keeps the chance of any false difference at 5 %;
    against a baseline only the pairs with it, so that smaller differences are seen.
    Methods between which no difference is shown share a rank; one that missed the KL in any seed
    has none.

    [bold]bench compare results/reviews --at-kl 4 --baseline dpo[/]
    [bold]bench compare results/matrix --systems --method bon --baseline "bon × single"[/]
    """
    from overopt.commands.compare import compare
    from overopt.report.stored.selection import Selection

    selection = Selection(tuple(method or ()), tuple(proxy or ()), tuple(noise or ()))
    asked = baseline, metric, selection, as_json, out, transfer, systems
    raise typer.Exit(compare(runs, at_kl, *asked))


@app.command("measure")
@takes_measure
def measure_command(asked: Measure, store: StorePlace = None, workers: Workers = None) -> None:
    """Judge your own training run: from its log, or from its checkpoints.

    [bold]bench measure trainer_state.json[/] reads step, KL, proxy and gold of a log.

    [bold]bench measure --policy DIR --reference MODEL --proxy MODEL --gold MODEL --prompts FILE[/]
    samples from every checkpoint and measures KL and both rewards itself.
    """
    count = count_workers(workers)
    if asked.out is not None and asked.policy:
        check_folder("--out", asked.out)
    from overopt.commands.measure import measure

    try:
        code = measure(asked, store, count, workers is not None)
    except KeyboardInterrupt as stop:
        sys.stderr.write(f"\n{stop or 'Stopped.'}\n")
        code = 130
    raise typer.Exit(code)


@app.command("list")
def list_command(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="methods, tasks, proxies, gold or monitors.")
    ] = "methods",
    family: Annotated[
        str | None,
        typer.Option(
            metavar="FAMILY",
            help="Only methods of pairs, rollout, iterative, selection or merge.",
        ),
    ] = None,
    uses_gold: Annotated[
        str | None,
        typer.Option(
            metavar="USE",
            help="Only methods or proxies that use gold for nothing (none), for selection, in "
            "training or, proxies, for labels of steps.",
        ),
    ] = None,
    needs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NEED...",
            help="Only methods or proxies that need all of these, such as proxy, native-engine or "
            "an input like forward_kl; [bold]--json[/] shows the needs of each.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List available methods, tasks, proxies, gold rewards or monitors, a line for each."""
    from overopt.commands.list import list_kind

    raise typer.Exit(list_kind(kind, family, uses_gold, needs or [], as_json))


@app.command("show")
def show_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A method, proxy, task, gold or monitor, or your own .py or .toml file.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show one method, proxy, task, gold reward or monitor: its paper, settings and values."""
    from overopt.commands.show import show

    raise typer.Exit(show(name, as_json))


def _carry_out(
    spec: RunSpec, store: Path | None, out: Path, workers: int, quiet: bool
) -> list[Path]:
    """Carry a run out for a command that needs runs of its own."""
    from overopt.commands.run import make_runs

    return make_runs([spec], store, out, workers, quiet, typed()).folders


def _foresee(specs: Sequence[RunSpec], store: Path | None, workers: int) -> Forecast:
    """Estimate what runs cost for a command that needs runs of its own."""
    from overopt.commands.plan import foresee

    return foresee(specs, store, workers)


add_commands(app)
add_tune(app, _carry_out)
add_gpu_table(app)
add_admit(app, _carry_out)
add_verify(app)
add_submit(app)
add_leaderboard(app)
add_reproduce(app, _carry_out, _foresee)
add_worker(app)
add_monitor(app, _carry_out)
add_examine(app, resolve_all)
add_extrapolate(app, resolve_all)


def _offer(words: list[str]) -> NoReturn:
    """Answer a shell that asks what the TAB key may put in."""
    commands = vars(typer.main.get_command(app))["commands"]
    try:
        told = offer(words, commands)
    except UserError:
        told = []  # a mistake earlier on the line is told when the line is given
    sys.stdout.write("".join(f"{one}\n" for one in told))
    raise SystemExit(0)


def main() -> None:
    """Entry point: a user's mistake is one sentence and exit code 2, never a traceback."""
    WORDS[:] = sys.argv[1:]
    print_any_letter()
    if WORDS[:1] == [ASK]:
        _offer(WORDS[1:])
    try:
        code = app(spread(WORDS) or ["--help"], prog_name=program(), standalone_mode=False)
        sys.stdout.flush()
    except (UserError, TyperException) as error:
        told = error.format_message() if isinstance(error, TyperException) else str(error)
        end(2, told)
    except KeyboardInterrupt:
        end(130, "stopped")
    except OSError as error:
        end(2, about_disk(error))
    except Exception as error:
        end(1, about_defect(error))
    raise SystemExit(code)


if __name__ == "__main__":
    main()
