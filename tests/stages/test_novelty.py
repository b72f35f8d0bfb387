"""A predictor learns the initial policy's responses, and other ones surprise it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from overopt.artifacts.proxy import Member
from overopt.artifacts.scored_pools import read_scored
from overopt.artifacts.tables import Table, read_json
from overopt.catalog import systems
from overopt.engines.learned.novelty import Trunk, learn_novelty, novelty
from overopt.engines.method.novelty import OpenedNovelty
from overopt.engines.rehearsals.method import rehearse
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.methods.selection import caution
from overopt.models.logprobs import suppressed_ids
from overopt.models.policy import load_policy
from overopt.stages.beside import novelty as stage
from overopt.stats.arrays import Floats, Ints
from overopt.worlds.contract import build
from overopt.worlds.tokens import EOS, Tokens

from .conftest import WORLD
from .hand_made import SINGLE
from .test_families import ROLLOUT
from .test_scored_pools import hand_made


def test_unlike_responses_are_novel(artifacts: dict[str, Path]) -> None:
    world = build(WORLD)
    member = Member(artifacts["proxy"], world)
    trunks = [Trunk(member.model, member.reading)] * 2
    functions: Any = caution
    method = OpenedNovelty(functions, caution.Config(width=8, predictor_rate=5.0))
    settings = ROLLOUT.model_copy(
        update={"max_steps": 60, "samples_per_prompt": 8, "learning_rate": 2e-3}
    )
    policy = load_policy(artifacts["initial"] / "model")
    words = np.arange(4, len(world.vocabulary))
    said, unsaid = np.array_split(words, 2)
    policy.generation_config.suppress_tokens = [*suppressed_ids(policy), *unsaid.tolist()]
    learned = [
        learn_novelty(
            method, trunks, policy, world.train_prompts, world.response_tokens_max, settings,
            torch.Generator().manual_seed(0), silent,
        )
        for _ in range(2)
    ]  # fmt: skip
    assert learned[0].loss == learned[1].loss  # nothing is drawn from elsewhere
    assert learned[0].compute.gradient_steps == 60
    assert all(loss[-1] < 0.6 * loss[0] for loss in learned[0].loss)
    prompts = world.heldout_prompts.take(np.repeat(np.arange(6), 20))
    generator = np.random.default_rng(0)

    def error(words: Ints) -> Floats:
        """Of responses of these words, which end."""
        ids = generator.choice(words, (prompts.rows(), world.response_tokens_max))
        ids[:, -1] = EOS
        length = np.full(len(ids), ids.shape[1], dtype=np.int32)
        made = Tokens(ids.astype(np.int32), length)
        return novelty(method, trunks, learned[0].predictors, prompts, made)

    said_N, unsaid_N = error(said), error(unsaid)
    assert unsaid_N.mean() > said_N.mean() + 3 * unsaid_N.std() / np.sqrt(len(unsaid_N))


def test_a_pool_gets_standard_novelty(artifacts: dict[str, Path], tmp_path: Path) -> None:
    spec = systems.method("caution", {"width": 4})
    settings = ROLLOUT.model_copy(update={"max_steps": 3})
    params = {
        "world": WORLD.to_json(), "method": spec.to_json(), "system": SINGLE,
        "settings": settings.to_json(), "seed": 0,
    }  # fmt: skip
    inputs = {
        "initial": artifacts["initial"], "proxy.0": artifacts["proxy"], "pool": artifacts["pool"]
    }  # fmt: skip
    stage.run(params, inputs, tmp_path, silent)
    record = read_json(tmp_path / "novelty.json")
    assert record["gradient_steps"] == 3 and len(record["loss"][0]) == 3
    table = Table(artifacts["pool"] / "samples.parquet")
    both = {"pool": artifacts["pool"], "novelty": tmp_path}
    read, _ = read_scored(both, spec.needs, build(WORLD), hand_made(table), None)
    assert read.novelty_BN is not None
    assert (read.novelty_BN.mean(), read.novelty_BN.std()) == pytest.approx((0.0, 1.0))


@pytest.mark.parametrize(
    ("found", "put", "said"),
    [
        (".square().sum(-1)", ".square()", r"prediction_error gives shape \(\d+, \d+\)"),
        (
            "(predicted_RD - target_RD)",
            "(predicted_RD.detach() - target_RD)",
            "prediction_error has no gradient",
        ),
        ("return Predictor(config.width, shape)", "return shape", "not a Module"),
        ("state_RLH[row_R, length_R - 1]", "state_RLH", "make_predictor gives shape"),
    ],
)
def test_mistakes_are_told(found: str, put: str, said: str, tmp_path: Path) -> None:
    text = Path(caution.__file__).read_text(encoding="utf-8")
    assert found in text
    path = tmp_path / "mine.py"
    path.write_text(text.replace(found, put), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        rehearse(systems.method(str(path)))
