import pytest
import torch

from overopt.proxies.warm import Config, merge, vary


def reward(weights: dict[str, torch.Tensor], x: float) -> float:
    """r(x) = v relu(w x)."""
    return float(weights["v"] * torch.relu(weights["w"] * x))


def network(w: float, v: float) -> dict[str, torch.Tensor]:
    return {"w": torch.tensor(w), "v": torch.tensor(v)}


@pytest.mark.parametrize(
    ("members", "scores", "averaged"),
    [
        # (w, v) = (1, 1) and (3, 2): 1 and 6; their average (2, 1.5) scores 1.5 * 2
        ([(1.0, 1.0), (3.0, 2.0)], [1.0, 6.0], 3.0),
        # (1, 2) and (-1, 2): 2 and 0; w cancels in the average
        ([(1.0, 2.0), (-1.0, 2.0)], [2.0, 0.0], 0.0),
    ],
)
def test_the_average_of_weights_is_not_that_of_scores(
    members: list[tuple[float, float]], scores: list[float], averaged: float
) -> None:
    networks = [network(*one) for one in members]
    assert [reward(one, 1.0) for one in networks] == scores
    merged = dict(merge(Config(members=2), networks))
    assert reward(merged, 1.0) == pytest.approx(averaged)


def test_a_linear_head_on_frozen_features_averages_to_the_ensemble() -> None:
    generator = torch.Generator().manual_seed(0)
    heads = [{"head": torch.randn(5, generator=generator)} for _ in range(6)]
    feature_ND = torch.randn(20, 5, generator=generator)
    ensemble_N = torch.stack([feature_ND @ one["head"] for one in heads]).mean(0)
    torch.testing.assert_close(feature_ND @ merge(Config(), heads)["head"], ensemble_N)


def test_a_feature_that_members_have_by_chance_weighs_its_square() -> None:
    """Learned in both of two layers with chance 1/2: the ensemble keeps p, the average p^2.

    Half of the members have the path on, (w, v) = (1, 1), and half have it off, (0, 0): members
    score 1 and 0, mean 1/2; the average is (1/2, 1/2), which scores 1/4.
    """
    networks = [network(1.0, 1.0), network(0.0, 0.0)]
    assert reward(dict(merge(Config(members=2), networks)), 1.0) == pytest.approx(0.25)


def test_members_are_told_apart_as_in_the_paper() -> None:
    trained = [vary(Config(), member) for member in range(6)]
    assert len(set(trained)) == 6
    assert sorted({one.rate for one in trained}) == [0.25, 1.0, 2.5]  # 1e-5, 4e-5, 1e-4 over 4e-5
    assert sorted({one.dropout for one in trained}) == [0.05, 0.1]
    assert {vary(Config(same_rate=True, dropout=0.0), m) for m in range(6)} == {(1.0, 0.0)}
