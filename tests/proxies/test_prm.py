import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overopt.catalog import systems
from overopt.errors import UserError
from overopt.proxies.prm import Config, reduce
from overopt.spec.world import WorldSpec
from overopt.worlds.contract import build
from overopt.worlds.steps import stepwise
from overopt.worlds.tokens import Tokens

# p = .9, .5, .8 at the ends of three steps; what stands between them is none
MASK_NT = np.array([[True, False, True, False, True]])
P_NT = np.array([[0.9, 0.1, 0.5, 0.1, 0.8]])


def reduced(
    over: str, p_NT: npt.NDArray[np.float64], mask_NT: npt.NDArray[np.bool_]
) -> list[float]:
    logit_NT = np.log(p_NT) - np.log1p(-p_NT)
    return list(reduce(Config(over=over), logit_NT, mask_NT))


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ("min", 0.5),
        ("product", 0.9 * 0.5 * 0.8),  # .36
        ("geometric", 0.711379),  # .36^(1/3)
        ("mean", 0.733333),  # 2.2 / 3
        ("last", 0.8),
        ("sum", 2.2),
    ],
)
def test_reductions_by_hand(over: str, expected: float) -> None:
    assert reduced(over, P_NT, MASK_NT) == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize("over", ["min", "product", "geometric", "mean", "last", "sum"])
def test_one_step_is_an_outcome_reward(over: str) -> None:
    mask_NT = np.array([[False, False, True], [True, False, False]])
    p_NT = np.array([[0.2, 0.3, 0.7], [0.4, 0.9, 0.9]])
    assert reduced(over, p_NT, mask_NT) == pytest.approx([0.7, 0.4])


def test_the_product_of_sure_steps_is_1_and_of_a_hopeless_one_0() -> None:
    step_NT = np.array([[800.0, 800.0, 800.0], [800.0, -800.0, 800.0]])
    mask_NT = np.ones((2, 3), dtype=np.bool_)
    assert reduce(Config(over="product"), step_NT, mask_NT).tolist() == [1.0, 0.0]
    assert reduce(Config(over="min"), step_NT, mask_NT).tolist() == [1.0, 0.0]
    assert reduce(Config(over="sum"), step_NT, mask_NT).tolist() == [3.0, 2.0]


@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6), st.floats(0.01, 0.99))
def test_only_the_sum_pays_for_every_further_step(steps: list[float], more: float) -> None:
    def of(over: str, p: list[float]) -> float:
        return reduced(over, np.array([p]), np.ones((1, len(p)), dtype=np.bool_))[0]

    assert of("sum", [*steps, more]) > of("sum", steps)
    for over in ("product", "min"):
        assert of(over, [*steps, more]) <= of(over, steps) + 1e-12
    assert of("min", steps) >= of("product", steps) - 1e-12
    assert of("min", steps) - 1e-12 <= of("geometric", steps) <= of("mean", steps) + 1e-12


def test_it_declares_what_it_learns_from_and_what_it_may_make_of_it() -> None:
    spec = systems.proxy("prm")
    assert spec.step_scores and not spec.own_loss
    assert spec.config == {"members": 1, "over": "product"}
    with pytest.raises(UserError, match=r"Unknown value of over 'summ'\. Did you mean sum"):
        systems.proxy("prm", {"over": "summ"})


@pytest.mark.parametrize(("over", "hacked_wins"), [("sum", True), ("product", False)])
def test_a_sum_over_a_perfect_judge_of_steps_is_hacked_by_repeating_a_right_one(
    over: str, hacked_wins: bool
) -> None:
    world = build(WorldSpec(kind="arithmetic", seed=0, train_prompts=64, heldout_prompts=8))
    ids = {word: token for token, word in enumerate(world.vocabulary)}
    texts = (
        "3 + 4 = 7 ; 7 - 2 = 5 ; answer 5 <eos>",
        "3 + 4 = 7 ; 3 + 4 = 7 ; 3 + 4 = 7 ; 3 + 4 = 7 ; 3 + 4 = 7 ; 3 + 4 = 7 ; <eos>",
    )
    rows = [[ids[word] for word in text.split()] for text in texts]
    responses = Tokens.from_flat(np.concatenate(rows), np.array([len(row) for row in rows]))
    question = "<bos> 3 + 4 - 2 <sep>"
    asked = [ids[word] for word in question.split()]
    prompts = Tokens.from_padded(np.array([asked, asked]))
    steps = stepwise(world)
    truth, end_NT = steps.step_truth(prompts, responses), steps.step_ends(responses)
    plain, hacked = reduce(Config(over=over), np.where(truth.correct_NT, 9.0, -9.0), end_NT)
    # 3 right steps of 3, and 6 of 7: the last one says no answer
    assert (hacked > plain) == hacked_wins
    assert truth.progress_NT.sum(axis=1).tolist() == [3, 1]
    gold_N = world.gold(prompts, responses)
    assert gold_N[0] > gold_N[1] + 1.0
