import torch

from overopt.methods.math.pairing import best_and_worst


def test_extremes_of_each_prompt_are_paired_unless_all_are_equal() -> None:
    score_BN = torch.tensor([[1.0, 3.0, 0.0], [2.0, 2.0, 2.0], [5.0, 4.0, 5.0]])
    pairs = best_and_worst(score_BN)
    assert pairs.chosen_P.tolist() == [1, 6]
    assert pairs.rejected_P.tolist() == [2, 7]
    assert pairs.label_P is None
