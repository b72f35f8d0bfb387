"""Every response listed: probabilities that add up, and equal those of responses read alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from overopt.models import enumeration
from overopt.models.decoding import Start, read_prompts
from overopt.models.enumeration import enumerate_logps
from overopt.models.logprobs import score_logps
from overopt.worlds.tokens import SEP

from . import tiny


@pytest.mark.parametrize("at_once", [1, 1 << 22])
def test_probabilities_add_up_to_one_and_equal_the_scored_ones(at_once: int) -> None:
    model, prompts, responses = tiny.policy(3), tiny.prompts(), tiny.all_responses()
    logp_BR = enumerate_logps(model, prompts, responses, at_once)
    np.testing.assert_allclose(np.exp(logp_BR).sum(1), 1.0, atol=1e-12)
    prompt_N = np.repeat(np.arange(prompts.rows()), responses.rows())
    response_N = np.tile(np.arange(responses.rows()), prompts.rows())
    scored_N = score_logps(model, prompts.take(prompt_N), responses.take(response_N)).sum(1)
    np.testing.assert_allclose(logp_BR.ravel(), scored_N, atol=1e-5)


def test_a_part_in_any_order_has_the_same_log_probabilities() -> None:
    """Of responses that share no beginning, one that is another's beginning, and one twice."""
    model, prompts = tiny.policy(5), tiny.prompts()
    listed = tiny.tokens([5, 4, SEP], [4], [5, 4], [5, 4, SEP], [SEP, 4, 4])
    found_BR = enumerate_logps(model, prompts, listed)
    for r in range(listed.rows()):
        alone_B = enumerate_logps(model, prompts, listed.take(np.array([r])))[:, 0]
        np.testing.assert_allclose(found_BR[:, r], alone_B, atol=1e-6)
    assert (found_BR[:, 0] == found_BR[:, 3]).all()


def test_every_beginning_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []

    def counted(*given: Any) -> Start:
        decoder, logits_RV = read_prompts(*given)
        rows.append(len(logits_RV))
        step = decoder.step

        def counting(token_A: Tensor) -> Tensor:
            rows.append(len(token_A))
            return step(token_A)

        monkeypatch.setattr(decoder, "step", counting)
        return Start(decoder, logits_RV)

    monkeypatch.setattr(enumeration, "read_prompts", counted)
    prompt = tiny.tokens([4, 5, SEP], [5, 4, SEP])
    enumerate_logps(tiny.policy(3), prompt, tiny.all_responses())
    assert rows == [2, 2 * 4, 2 * 16], "EOS ends, so that nothing follows it"


def test_empty_responses_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        enumerate_logps(tiny.policy(3), tiny.prompts(), tiny.tokens([3], []))
