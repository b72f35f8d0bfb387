"""What monitors say of measured runs, in lines."""

from __future__ import annotations

from overopt.own_runs.measured import MeasuredRuns


def monitor_lines(measured: MeasuredRuns) -> list[str]:
    """A heading, then a line for each run and monitor; none where no monitor was asked."""
    if not any(measured.monitors):
        return []
    lines = ["monitors, without gold, at the limits of their files, which nothing calibrated here:"]
    several = len(measured.names) > 1
    for name, verdicts in zip(measured.names, measured.monitors, strict=True):
        lines += [f"  {f'{name}, ' if several else ''}{one.line}" for one in verdicts]
    return lines
