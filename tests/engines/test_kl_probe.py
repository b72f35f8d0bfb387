from __future__ import annotations

import numpy as np
import pytest
import torch

from overopt.engines.walk.kl_probe import KLProbe
from overopt.models.logprobs import kl_statistics
from overopt.models.sampling import sample

from . import tiny


def test_the_reference_is_no_distance_from_itself() -> None:
    reference = tiny.policy()
    probe = KLProbe(tiny.prompts(), 2, tiny.MAX_NEW_TOKENS, seed=0)
    assert probe(tiny.twin(reference), reference) == pytest.approx(0.0, abs=1e-6)


def test_equal_policies_get_equal_estimates_and_seeds_differ() -> None:
    reference, policy = tiny.policy(0), tiny.policy(1)
    probe = KLProbe(tiny.prompts(), 2, tiny.MAX_NEW_TOKENS, seed=0)
    other = KLProbe(tiny.prompts(), 2, tiny.MAX_NEW_TOKENS, seed=1)
    assert probe(policy, reference) == probe(policy, reference) > 0
    assert probe(policy, reference) != other(policy, reference)


def test_it_agrees_with_a_large_sample() -> None:
    reference, policy, asked = tiny.policy(0), tiny.policy(1), tiny.prompts()
    drawn = sample(policy, asked, 200, tiny.MAX_NEW_TOKENS, torch.Generator().manual_seed(4))
    repeated = asked.take(np.repeat(np.arange(asked.rows()), 200))
    seen = kl_statistics(policy, reference, repeated, drawn.responses)
    probe = KLProbe(asked, 4, tiny.MAX_NEW_TOKENS, seed=0)
    error = seen.rb_N.std() / np.sqrt(asked.rows() * 4)
    assert probe(policy, reference) == pytest.approx(seen.rb_N.mean(), abs=4 * error)
