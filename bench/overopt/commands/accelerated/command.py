"""The command line of ``bench gpu-table``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overopt.commands.machine import check_folder


def add_gpu_table(app: typer.Typer) -> None:
    """Give the command ``gpu-table``."""

    @app.command("gpu-table")
    def gpu_table_command(
        task: Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME", help="A hub task to run end to end; may be given several times."
            ),
        ] = None,
        stacked: Annotated[
            str, typer.Option(metavar="NAME", help="Generated task whose policies are stacked.")
        ] = "reviews",
        stacked_method: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME...", help="What trains them; by default dpo rloo ppo."),
        ] = None,
        width: Annotated[
            list[int] | None,
            typer.Option(
                metavar="W...", help="Widths of stacks; by default 1 8 32 128, on a CPU 1 8."
            ),
        ] = None,
        steps: Annotated[int, typer.Option(min=1, help="Steps of each measurement.")] = 50,
        method: Annotated[
            list[str] | None,
            typer.Option(
                "--method", "-m", metavar="NAME...", help="Of hub tasks; by default dpo and rloo."
            ),
        ] = None,
        variant: Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME...", help="By default all: float32, bf16, lora, bf16-lora, vllm."
            ),
        ] = None,
        timeout_s: Annotated[
            int, typer.Option("--timeout", min=1, help="Most seconds of one run.")
        ] = 3600,
        out: Annotated[Path, typer.Option(metavar="FILE", help="Where the table goes.")] = Path(
            "gpu-table.md"
        ),
    ) -> None:
        """Measure what an accelerator gains, and write the table; without one, small on the CPU.

        The stacked engine against the native one on one core, and hub tasks from start to end in
        float32, bf16, with adapters and with vLLM: time, memory, and what [bold]bench plan[/]
        foretold.

        [bold]bench gpu-table --task ./my-task.toml --out gpu-table.md[/]
        """
        from overopt.catalog.systems import method as method_spec
        from overopt.commands.accelerated.table import write

        check_folder("--out", out.parent)
        write(
            out,
            stacked,
            [method_spec(name) for name in stacked_method or ["dpo", "rloo", "ppo"]],
            width or [],
            steps,
            task or [],
            method or ["dpo", "rloo"],
            variant or [],
            timeout_s,
        )
