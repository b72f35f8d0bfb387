from functools import partial
from pathlib import Path

import pytest
import torch

from overopt.methods.pairs import pref_ft

from . import three_responses, trl_pairs


def test_loss_by_hand() -> None:
    """log pi(w) = -3.0 and log pi(l) = -4.0."""
    batch = three_responses.pair(rejected=(-3.0, -1.0))
    assert pref_ft.loss(pref_ft.Config(), batch).tolist() == [3.0]
    loss = pref_ft.loss(pref_ft.Config(rejected_share=0.25), batch).item()
    assert loss == pytest.approx(0.75 * 3 + 0.25 * 4)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_optimum_is_the_law_of_what_is_learned(share: float) -> None:
    """ref_i sum_j ref_j ((1-s) s(R_i - R_j) + s s(R_j - R_i)), j unlike i."""
    reference_R, reward_R = three_responses.LOG_REFERENCE_R.exp(), three_responses.REWARD_R
    wins_RR = torch.sigmoid(reward_R[:, None] - reward_R)
    learned_RR = ((1 - share) * wins_RR + share * wins_RR.T) * (1 - torch.eye(3))
    law_R = reference_R * (learned_RR @ reference_R)
    found = three_responses.optimum(partial(pref_ft.loss, pref_ft.Config(share)))
    assert found == pytest.approx((law_R / law_R.sum()).tolist(), abs=1e-5)


def test_equal_shares_do_not_ask_which_response_was_chosen() -> None:
    batch = three_responses.pair(rejected=(-3.0, -1.0))
    config = pref_ft.Config(rejected_share=0.5)
    assert torch.equal(
        pref_ft.loss(config, batch), pref_ft.loss(config, three_responses.flipped(batch))
    )


def test_loss_is_three_tokens_of_trls(tmp_path: Path) -> None:
    """TRL's term is a mean over the tokens of chosen responses, which have three each here."""
    rows = trl_pairs.CHOSEN_OF_THREE
    trl_pairs.assert_same(
        tmp_path, lambda batch: pref_ft.loss(pref_ft.Config(), batch) / 3, ["sft"], rows
    )
