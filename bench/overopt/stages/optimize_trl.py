"""The optimize stage on the trl engine: in this process, or in several that ``torchrun`` starts.

Its inputs and what it writes are those of ``optimize``, so that no later stage knows of engines.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
from accelerate.commands.config.config_args import load_config_from_file
from transformers import AutoTokenizer

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.randomness import derived_seed
from overopt.engines.trl.version import FAMILIES, check_versions
from overopt.engines.walk.trajectory import Trajectory
from overopt.errors import UserError
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.spec.method import MethodSpec
from overopt.spec.trl import TrlSpec
from overopt.stages.optimize import run_inputs
from overopt.stages.trajectory import write_trajectory
from overopt.worlds.contract import world_of

_PR_SET_PDEATHSIG = 1
_TOLD_KINDS = {"UserError": UserError, "FloatingPointError": FloatingPointError}
_TOLD_LINES = 60  # the launcher alone takes 20 to say that a process ended


class Job(NamedTuple):
    """The arguments of the stage, as they travel to other processes."""

    params: dict[str, Any]
    inputs: dict[str, Path]
    out: Path
    kept: Path


def run(
    params: dict[str, Any],
    inputs: dict[str, Path],
    out: Path,
    progress: Progress,
    kept: Path | None,
) -> None:
    """Optimize as ``optimize.run`` does, with ``trl`` (TrlSpec) among the params.

    Args:
        params: as ``optimize.run`` takes them.
        inputs: as ``optimize.run`` takes them.
        out: where the artifact is written.
        progress: told the fraction done.
        kept: folder that outlives a killed process, for checkpoints; None keeps none.

    Raises:
        FloatingPointError: a reward, a loss, a gradient or a KL estimate is not finite.
        UserError: versions or options that the engine cannot run with.
    """
    check_versions()
    options = TrlSpec.model_validate(params["trl"])
    # beside the artifact, where the store clears up after a killed run
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        job = Job(params, inputs, out, kept or Path(scratch) / "kept")
        job.kept.mkdir(parents=True, exist_ok=True)
        if options.processes == 1 and not options.accelerate_config:
            _move(job, progress)
        else:
            _spread(job, options, Path(scratch), progress)


def _move(job: Job, progress: Progress) -> None:
    """One process's part: train, and write the result if it is the first process."""
    from overopt.engines.trl.training import TrlSetup

    params, inputs = job.params, job.inputs
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world = world_of(params)
    initial = inputs["initial"] / "model"
    member = [params["member"]] if "member" in params else []
    setup = TrlSetup(
        TrlSpec.model_validate(params["trl"]),
        AutoTokenizer.from_pretrained(initial, local_files_only=True),
        job.kept,
        derived_seed(int(params["seed"]), "optimize", "trl", *member),
    )
    if method.trains not in FAMILIES:
        raise UserError(
            f"{method.name}: the trl engine runs the families {' and '.join(FAMILIES)}, not "
            f"{method.trains}; give --engine native."
        )
    engine = load("engines.trl", method.trains)
    given = run_inputs(params, inputs, method, world, progress)
    trajectory: Trajectory = engine.optimize(method, params["settings"], given, setup)
    if int(os.environ.get("RANK", "0")) == 0:
        # a fresh model: the trained one carries what TRL has put into it
        write_trajectory(job.out, trajectory, world, load_policy(initial), {})


def _spread(job: Job, options: TrlSpec, scratch: Path, progress: Progress) -> None:
    """Start the processes, pass on their progress, and raise what one of them raised."""
    told = scratch / "job.json"
    places = {role: str(path) for role, path in job.inputs.items()}
    document = {"params": job.params, "inputs": places, "out": str(job.out), "kept": str(job.kept)}
    told.write_text(json.dumps(document), encoding="utf-8")
    errors = scratch / "errors.txt"
    with errors.open("w", encoding="utf-8") as stream:
        child = subprocess.Popen(
            [*_launcher(options), "-m", __name__, str(told)],
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "TMPDIR": str(scratch),
            },
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        assert child.stdout is not None
        for line in child.stdout:
            _pass_on(line, progress)
        code = child.wait()
    if code == 0:
        return
    records = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(scratch.glob("raised_*.json"), key=lambda path: path.stat().st_mtime_ns)
    ]
    last = errors.read_text(encoding="utf-8", errors="replace").splitlines()[-_TOLD_LINES:]
    struck = next((line.partition("Signal")[2] for line in reversed(last) if "Signal" in line), "")
    told_kinds = [one for one in records if one["kind"] in _TOLD_KINDS]
    if records and (told_kinds or not struck):
        # an error in one process cuts the others off, and these then raise what follows from it
        record = (told_kinds or records)[0]
        kind: Callable[[str], Exception] = _TOLD_KINDS.get(record["kind"], RuntimeError)
        raise kind(record["message"])
    why = f": signal{struck}" if struck else ""
    raise RuntimeError(f"the processes ended with code {code}{why}") from RuntimeError(
        "\n".join(last)
    )


def _launcher(options: TrlSpec) -> list[str]:
    """The command that starts the processes on this machine."""
    if not options.accelerate_config:
        parts = ["torch.distributed.run", "--standalone", "--nproc_per_node"]
        return [sys.executable, "-m", *parts, str(options.processes)]
    if not Path(options.accelerate_config).is_file():
        raise UserError(
            f"trl.accelerate_config: there is no file {options.accelerate_config}; give a "
            "configuration that accelerate config has written."
        )
    config = load_config_from_file(options.accelerate_config)
    if options.processes > 1 and (config.use_cpu or config.distributed_type == "MULTI_CPU"):
        raise UserError(
            f"trl.accelerate_config: by {options.accelerate_config}, accelerate launch starts "
            "several processes on CPUs by MPI only, and one process without it; leave "
            "trl.accelerate_config out, and torchrun starts them."
        )
    parts = ["accelerate.commands.launch", "--config_file", options.accelerate_config]
    return [sys.executable, "-m", *parts, "--num_processes", str(options.processes)]


def _end_with_launcher() -> None:
    """End when the launcher is gone, however it went.

    One that is killed tells its processes nothing. They would wait for each other for ever, and the
    stage for the end of what they print.
    """
    if sys.platform != "linux":
        return
    launcher = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher or launcher == 1:
        _leave(1)  # it was gone before this could be asked for


def _end_with_parent() -> None:
    """Ask the system to end the launcher, and so its processes, when this process is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _pass_on(line: str, progress: Progress) -> None:
    try:
        fraction, text = json.loads(line)
    except ValueError:
        return  # what a library printed
    progress(float(fraction), str(text))


def _tell(fraction: float, text: str) -> None:
    sys.stdout.write(json.dumps([fraction, text]) + "\n")
    sys.stdout.flush()


def _be_silent(fraction: float, text: str) -> None:
    """The other processes say nothing."""


def main(told: Path) -> None:
    """One of several processes; its error is left beside the job for the starter."""
    document = json.loads(told.read_text(encoding="utf-8"))
    inputs = {role: Path(place) for role, place in document["inputs"].items()}
    job = Job(document["params"], inputs, Path(document["out"]), Path(document["kept"]))
    rank = int(os.environ.get("RANK", "0"))
    try:
        _move(job, _tell if rank == 0 else _be_silent)
        if torch.distributed.is_initialized():
            # none leaves while another may still wait for its part of a sum or a checkpoint
            torch.distributed.barrier()
    except Exception as error:
        record = {"kind": type(error).__name__, "message": str(error)}
        draft = told.parent / f"raised_{rank}.part"
        draft.write_text(json.dumps(record), encoding="utf-8")
        draft.replace(draft.with_suffix(".json"))
        traceback.print_exc()
        _leave(1)


def _leave(code: int) -> NoReturn:
    """End this process at once, without taking the interpreter or the process group down.

    Everything is written. The group's threads may still hold tensors, and freeing these while the
    interpreter takes itself down aborts the process now and then; after an error, taking the group
    down may wait for ever for a process that is gone. The system closes what is open.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _end_with_launcher()
    main(Path(sys.argv[1]))
    _leave(0)
