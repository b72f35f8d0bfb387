"""Signals by hand: outliers, spread, energy, hidden states; and the stages that join them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models import tiny
from overopt.artifacts.tables import Table, read_json
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.models.inside.energy import last_projection, lost_energy, response_energy
from overopt.models.inside.reward_states import reward_states
from overopt.models.rewards.reward import score
from overopt.stages import evaluate, optimize
from overopt.stages.watching import energy, initial, signals, states
from overopt.stats.monitoring.outliers import outlier_p_values, spread_of
from stages.conftest import PROXY, WORLD, artifacts

__all__ = ["artifacts"]


def test_p_values_are_the_ones_by_hand() -> None:
    # mean 0, covariance 2/3 I: (1, 1) has d2 = 3, and chi2 with 2 degrees has sf(x) = exp(-x / 2)
    usual = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    found = outlier_p_values(usual, [[1.0, 1.0], [0.0, 0.0], [4.0, 0.0]], ridge=0.0)
    assert found == pytest.approx([np.exp(-1.5), 1.0, np.exp(-12.0)])
    ridged = outlier_p_values(usual, [[1.0, 1.0]], ridge=1.0 / 3.0)  # covariance I: d2 = 2
    assert ridged == pytest.approx([np.exp(-1.0)])


def test_p_values_of_samples_like_the_usual_ones_are_uniform() -> None:
    generator = np.random.default_rng(0)
    mix = generator.normal(size=(3, 3))
    usual, more = (generator.normal(size=(20_000, 3)) @ mix for _ in range(2))
    p = outlier_p_values(usual, more)
    assert (p < 0.01).mean() == pytest.approx(0.01, abs=0.003)
    assert np.quantile(p, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.02)


def test_spread_is_the_sd_over_members() -> None:
    assert spread_of([[0.0, 1.0], [2.0, 1.0]]) == pytest.approx([np.sqrt(2.0), 0.0])
    with pytest.raises(ValueError, match="at least 2 members"):
        spread_of([[1.0, 2.0]])


def test_lost_energy_is_the_one_by_hand() -> None:
    entering, leaving = torch.tensor([[1.0, -3.0, 2.0]]), torch.tensor([[0.5, -0.5]])
    assert lost_energy(entering, leaving).tolist() == [1.5]  # 6/3 - 1/2


def test_the_energy_of_a_response_is_read_where_its_tokens_are_predicted() -> None:
    policy, prompts = tiny.policy(3), tiny.prompts()
    responses = tiny.tokens([4, 5, 2], [5], [4, 4], [5, 2])
    found = response_energy(policy, prompts, responses)
    block = policy.base_model.h[-1]
    for row in range(4):
        ids = np.concatenate([one.ids_NT[row, : one.length_N[row]] for one in (prompts, responses)])
        seen: dict[str, torch.Tensor] = {}
        handle = block.mlp.c_proj.register_forward_hook(
            lambda _m, given, told, seen=seen: seen.update(x=given[0][0], z=told[0])
        )
        with torch.no_grad():
            policy(torch.tensor(ids[None].astype(np.int64)))
        handle.remove()
        each = seen["x"].abs().mean(-1) - seen["z"].abs().mean(-1)
        start = int(prompts.length_N[row]) - 1
        expected = each[start : start + int(responses.length_N[row])].mean()
        assert found[row] == pytest.approx(float(expected), rel=1e-5)


def test_a_model_without_a_known_projection_is_refused() -> None:
    with pytest.raises(UserError, match="energy loss cannot be read"):
        last_projection(torch.nn.Sequential(torch.nn.Linear(2, 2)))


def test_the_state_is_the_one_that_the_reward_is_read_from() -> None:
    model, prompts = tiny.reward_model(2), tiny.prompts()
    responses = tiny.tokens([4, 5, 2], [5, 2], [4, 4, 2], [5, 4, 2])
    state_ND = reward_states(model, prompts, responses)
    weight_D = model.score.weight.detach().double().numpy()[0]
    assert state_ND @ weight_D == pytest.approx(score(model, prompts, responses), abs=1e-5)


ROLLOUT = {
    "learning_rate": 3e-3, "prompts_per_step": 8, "samples_per_prompt": 4, "max_steps": 6,
    "warmup_steps": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def seen(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A short run against a proxy, and all that is seen of it."""
    from overopt.catalog.systems import method, proxy

    root = tmp_path_factory.mktemp("seen")
    made = dict(artifacts)
    world = {"world": WORLD.to_json()}

    def make(name: str, stage: object, params: dict[str, object], **inputs: str) -> None:
        (root / name).mkdir()
        folders = {role.replace("__", "."): made[one] for role, one in inputs.items()}
        stage.run({**world, **params}, folders, root / name, silent)  # type: ignore[attr-defined]
        made[name] = root / name

    spec = method("rloo").to_json()
    settings = {"settings": ROLLOUT, "kl_grid_nats": [0.01], "seed": 0, "engine": "native"}
    system = proxy("single").to_json()
    first = {"initial": "initial"}
    make("run", optimize, {"method": spec, "system": system, **settings}, proxy__0="proxy", **first)
    make("first", initial, {"per_prompt": 8}, pool="pool")
    look: dict[str, object] = {"samples_per_prompt": 8, "seed": 0}
    make("run.eval", evaluate, look, optimize="run", gold="gold", **first)
    from overopt.stages import proxy as proxy_stage
    from overopt.stages import score as score_stage

    make("score.first", score_stage, {}, samples="first", proxy="proxy")
    trained: dict[str, object] = {"proxy": PROXY.to_json(), "member": 1, "seed": 0}
    make("other", proxy_stage, trained, labels="labels")
    make("other.first", score_stage, {}, samples="first", proxy="other")
    make("score.run", score_stage, {}, samples="run.eval", proxy="proxy")
    for role, samples in (("first", "first"), ("run", "run.eval")):
        make(f"states.{role}", states, {}, samples=samples, usual="first", proxy="proxy")
        policies = first if role == "first" else {"optimize": "run"}
        make(f"energy.{role}", energy, {}, samples=samples, **policies)
    make(
        "signals", signals, {"system": system, "members": 2},
        samples__initial="first", samples__run="run.eval",
        score__initial__0="score.first", score__run__0="score.run",
        watch__initial__0="score.first", watch__initial__1="other.first",
        watch__run__0="score.run", watch__run__1="score.run",
        heldout__initial="score.first", heldout__run="score.run",
        states__initial="states.first", states__run="states.run",
        energy__initial="energy.first", energy__run="energy.run",
    )  # fmt: skip
    return made


def test_signals_are_means_over_the_samples_of_each_policy(seen: dict[str, Path]) -> None:
    start, *later = read_json(seen["signals"] / "signals.json")
    table = Table(seen["run.eval"] / "samples.parquet")
    step = later[-1]["step"]
    row_N = table.integers("step") == step
    assert start["step"] == 0 and start["kl_nats"] == 0.0 and start["reward"] == 0.0
    assert later[-1]["kl_nats"] == pytest.approx(table.floats("kl_rb")[row_N].mean())
    assert later[-1]["length"] == pytest.approx(table.tokens("response").length_N[row_N].mean())
    initial_N = Table(seen["first"] / "samples.parquet").floats("reference_logp")
    assert start["entropy_nats"] == pytest.approx(-initial_N.mean()) and start["entropy_nats"] > 0.0
    assert set(later[-1]) == set(start)  # a twin is seen in full from its first look on
    score_N = Table(seen["score.run"] / "scores.parquet").floats("score")
    first_N = Table(seen["score.first"] / "scores.parquet").floats("score")
    gain = score_N[row_N].mean() - first_N.mean()
    assert later[-1]["reward"] == later[-1]["heldout_proxy"] == pytest.approx(gain)
    assert later[-1]["spread"] == 0.0 and start["spread"] > 0.0  # members that are one, and not
    p_N = Table(seen["states.run"] / "states.parquet").floats("p")
    assert later[-1]["outlier_share"] == pytest.approx((p_N[row_N] < 0.01).mean())
    energy_N = Table(seen["energy.run"] / "energy.parquet").floats("energy")
    usual_N = Table(seen["energy.first"] / "energy.parquet").floats("energy")
    grown = (energy_N[row_N].mean() - usual_N.mean()) / usual_N.std(ddof=1)
    assert start["energy_loss"] == 0.0 and later[-1]["energy_loss"] == pytest.approx(grown)


def test_what_was_measured_on_other_samples_is_refused(seen: dict[str, Path]) -> None:
    from overopt.artifacts.watched_columns import watched_column

    other = Table(seen["first"] / "samples.parquet")
    with pytest.raises(ValueError, match="belongs to other samples"):
        watched_column(seen["states.run"] / "states.parquet", "p", other)
