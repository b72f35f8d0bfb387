"""The parts of a submission that know no run: files, pages of samples, policies, cells.

``schema`` has the document that they belong to.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overopt.leaderboard.submission.texts import Finite, InnerPath, Name, Seed, Sha256
from overopt.spec.frozen import Spec

DOCUMENT = "submission.json"

LARGEST_FILE_BYTES = 16 << 20
"""Of a page or of weights."""
LARGEST_TABLE_BYTES = 3 << 20
MOST_LINES = 20_000
"""Of a table of points: some 650 bytes and 14 rows for a cell."""
LARGEST_ROWS = 1 << 18
"""Samples in a page; those of the task reviews have 12,288."""
LARGEST_TOKENS = 1 << 20
"""Tokens in a page; those of the task reviews have some 150,000."""
MOST_POLICIES = 64
"""Policies of a cell."""


class FileRef(Spec):
    """One file of the folder, its content pinned.

    path: inside the folder, forward slashes. bytes: its size.
    """

    path: InnerPath
    sha256: Sha256
    bytes: int = Field(ge=0, le=LARGEST_FILE_BYTES)


class Page(Spec):
    """The samples of one cell in one safetensors file (``pages`` names its tensors).

    rows: samples. tokens: of all of them.
    policy_logp: whether each has a log-probability under the policy; policies that reweight,
        filter or search have none.
    prompts: held-out prompts. points: those that were measured, the initial policy among them.
    """

    file: FileRef
    rows: int = Field(gt=0, le=LARGEST_ROWS)
    tokens: int = Field(gt=0, le=LARGEST_TOKENS)
    policy_logp: bool
    prompts: int = Field(gt=1, le=LARGEST_ROWS)
    points: int = Field(gt=0, le=1000)


class Policy(Spec):
    """Weights of the policy of one point: safetensors alone, in the initial policy's architecture.

    point: data row of ``points.csv``, from 0.
    """

    point: int = Field(ge=0, le=10_000_000)
    file: FileRef


class Cell(Spec):
    """One method in one world against one proxy with one noise and seed: its scales and samples.

    world, seed, proxy, noise, proxy_start, proxy_width, comparisons: as in ``points.csv``.
    gold_mean, gold_sd: of raw gold under the initial policy's pool; gold is reported in these SDs.
    proxy_offset: mean of the proxy over that pool, taken off every score.
    page: None where the cell failed or no policy was measured.
    """

    world: Seed
    seed: Seed
    proxy: Name
    noise: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:+ -]{0,99}$")]
    proxy_start: Name
    proxy_width: int | None = Field(ge=1, le=1 << 20)
    comparisons: int = Field(ge=0, le=1 << 30)
    gold_mean: Finite
    gold_sd: float = Field(ge=1e-9, le=1e30)
    proxy_offset: Finite
    page: Page | None
    policies: tuple[Policy, ...] = Field(default=(), max_length=MOST_POLICIES)
