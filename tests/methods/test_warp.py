import math

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Weights
from overopt.methods.merge import warp

CONFIG = warp.Config()


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_slerp_by_hand() -> None:
    # at a right angle the weights are sin 45 = 0.7071, or sin 60 and sin 30
    half = warp.slerp(vector(1, 0), vector(0, 1), 0.5)
    assert half.tolist() == pytest.approx([math.sqrt(0.5), math.sqrt(0.5)])
    third = warp.slerp(vector(2, 0), vector(0, 2), 1 / 3)
    assert third.tolist() == pytest.approx([2 * math.sqrt(0.75), 2 * 0.5])


def test_slerp_keeps_the_norm_and_ends_at_its_arguments() -> None:
    first, second = vector(3, 4, 0), vector(0, 3, -4)
    for share in (0.0, 0.2, 0.7, 1.0):
        assert warp.slerp(first, second, share).norm().item() == pytest.approx(5)
    assert warp.slerp(first, second, 0.0).tolist() == pytest.approx([3, 4, 0])
    assert warp.slerp(first, second, 1.0).tolist() == pytest.approx([0, 3, -4])


@pytest.mark.parametrize(
    ("second", "expected"), [((2.0, 0.0), 1.5), ((-1.0, 0.0), 0.0), ((0.0, 0.0), 0.5)]
)
def test_without_an_arc_the_line_is_taken(second: tuple[float, float], expected: float) -> None:
    if second == (0.0, 0.0):  # a right angle with nothing: sin 45 of the first alone
        expected = math.sqrt(0.5)
    merged = warp.slerp(vector(1, 0), vector(*second), 0.5)
    assert merged.tolist() == pytest.approx([expected, 0.0])


def weights(*rows: tuple[float, ...]) -> Weights:
    return {f"layer {i}": vector(*row) for i, row in enumerate(rows)}


def test_merging_is_layer_by_layer_and_then_toward_the_start() -> None:
    initial = weights((1.0, 1.0), (0.0, 5.0))
    trained = [weights((2.0, 1.0), (0.0, 7.0)), weights((1.0, 2.0), (0.0, 9.0))]
    half = warp.merge(CONFIG, initial, trained, 0.5)
    # layer 0: (1, 0) and (0, 1) at a right angle; layer 1: 2 and 4 along one line
    assert half["layer 0"].tolist() == pytest.approx([1 + 0.5**1.5, 1 + 0.5**1.5])
    assert half["layer 1"].tolist() == pytest.approx([0.0, 5 + 0.5 * 3])
    start = warp.merge(CONFIG, initial, trained, 0.0)
    assert all(torch.equal(start[name], value) for name, value in initial.items())


def test_three_members_on_one_line_are_averaged() -> None:
    initial = weights((0.0, 0.0))
    trained = [weights((0.0, value)) for value in (3.0, 6.0, 12.0)]
    assert warp.merge(CONFIG, initial, trained, 1.0)["layer 0"].tolist() == pytest.approx([0, 7])


def test_both_ends_of_either_path_are_the_runs_and_the_middle_of_a_line_is_the_mean() -> None:
    """Task vectors (1, 0) and (0, 1): half way (.5, .5) on the line, (.7071, .7071) on the arc."""
    initial = weights((1.0, 1.0))
    runs = [weights((2.0, 1.0)), weights((1.0, 2.0))]
    for path in ("slerp", "lerp"):
        for share, run in enumerate(runs):
            config = warp.Config(path=path, share=float(share))
            merged = warp.merge(config, initial, runs, 1.0)
            assert torch.equal(merged["layer 0"], run["layer 0"])
    half = warp.merge(warp.Config(path="lerp"), initial, runs, 1.0)
    assert half["layer 0"].tolist() == [1.5, 1.5]
    quarter = warp.merge(warp.Config(path="lerp", share=0.25), initial, runs, 1.0)
    assert quarter["layer 0"].tolist() == [1.75, 1.25]
    assert warp.merge(CONFIG, initial, runs, 1.0)["layer 0"].tolist() == pytest.approx(
        [1 + math.sqrt(0.5), 1 + math.sqrt(0.5)]
    )


def test_a_line_through_three_members_has_a_third_of_each() -> None:
    initial = weights((0.0, 0.0))
    runs = [weights((3.0, 0.0)), weights((0.0, 6.0)), weights((9.0, 9.0))]
    merged = warp.merge(warp.Config(members=3, path="lerp"), initial, runs, 1.0)
    assert merged["layer 0"].tolist() == pytest.approx([4.0, 5.0])


def test_the_last_of_several_iterations_is_drawn_to_where_the_first_began() -> None:
    """The arc's middle (.7071, .7071), 0.3 of the way from (0, 0): (.2121, .2121)."""
    merged = weights((math.sqrt(0.5), math.sqrt(0.5)))
    drawn = warp.draw_back(CONFIG, weights((0.0, 0.0)), merged, 0.3)
    assert drawn["layer 0"].tolist() == pytest.approx([0.2121, 0.2121], abs=1e-4)
    begun = weights((1.0, 0.0))
    for knob, expected in ((0.0, begun), (1.0, merged)):
        at = warp.draw_back(CONFIG, begun, merged, knob)["layer 0"]
        assert torch.allclose(at, expected["layer 0"])


def test_the_anchor_follows_the_policy() -> None:
    config = warp.Config(mu=0.25)
    memory = warp.begin(config, {"w": torch.tensor(0.0)})
    first = warp.after_step(config, memory, {"w": torch.tensor(4.0)}, 1)
    second = warp.after_step(config, first.memory, {"w": torch.tensor(4.0)}, 2)
    assert first.anchor is not None and first.anchor["w"].item() == 1.0
    assert second.anchor is not None and second.anchor["w"].item() == 1.75
    assert first.weights is None


def test_the_penalty_is_to_the_anchor() -> None:
    # R = r - 0.5 log(pi / anchor) = 1 - 0.5 * 2 and 3 - 0.5 * 0; without an anchor, the reference
    sampled_BNT = torch.tensor([[[-1.0], [-2.0]]])
    anchor_BNT = torch.tensor([[[-3.0], [-2.0]]])
    read = Reading(sampled_BNT, sampled_BNT, torch.ones(1, 2, 1), anchor_logp=anchor_BNT)
    seen = Rollout(torch.tensor([[1.0, 3.0]]), read)
    config = warp.Config(beta=0.5)
    assert warp.advantages(config, seen).tolist() == [[-3.0, 3.0]]
    plain = seen._replace(sampled=read._replace(anchor_logp=None))
    assert warp.advantages(config, plain).tolist() == [[-2.0, 2.0]]
    step = RolloutStep(seen, read, torch.tensor([[-3.0, 3.0]]))
    assert warp.loss(config, step).tolist() == [[-3.0, 6.0]]
