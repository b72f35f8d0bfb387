from functools import partial

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.iterative import phf_filter

from . import corpus


@pytest.mark.parametrize(
    ("share", "rows"), [(0.5, [5, 6]), (0.01, [5]), (0.75, [4, 5, 6]), (1.0, [4, 5, 6, 7])]
)
def test_the_best_share_of_the_data_is_kept(share: float, rows: list[int]) -> None:
    """Rows of the data follow those of the four samples of the policy itself."""
    seen = corpus.beside(torch.tensor([[1.0, 3.0], [2.0, 0.0]]))
    assert phf_filter.build(phf_filter.Config(good_share=share), seen).row_K.tolist() == rows


def test_loss_by_hand() -> None:
    batch = Reading(torch.tensor([[-0.5, -1.0]]), torch.zeros(1, 2), torch.ones(1, 2))
    assert phf_filter.loss(phf_filter.Config(), batch).tolist() == [1.5]


def test_the_optimum_is_the_data_among_the_good() -> None:
    config = phf_filter.Config(good_share=0.5)
    found = corpus.optimum(partial(phf_filter.build, config), partial(phf_filter.loss, config))
    assert found == pytest.approx([0.0, 0.6, 0.4], abs=1e-4)
