import numpy as np
import pytest
import torch
from torch.testing import assert_close

from overopt.methods.contract.novelty import PredictorShape
from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.contract.training import Training
from overopt.methods.selection import bon, caution
from overopt.methods.selection.caution import Config
from overopt.stats.arrays import Floats
from overopt.stats.pools.listed import kl_listed

REFERENCE_V, REWARD_V = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0])
NOVELTY_V = np.array([-0.5, 0.0, 1.5])
WORLD = ScoredPool(REWARD_V[None], REFERENCE_V[None], novelty_BN=NOVELTY_V[None])


def law(weight: float, n: float) -> Floats:
    return caution.weights(Config(weight=weight), WORLD, n).ravel()


def test_errors_by_hand() -> None:
    predicted_RD = torch.tensor([[1.0, 2.0], [0.0, -1.0]])
    target_RD = torch.tensor([[0.0, 4.0], [0.0, -1.0]])
    assert caution.prediction_error(Config(), predicted_RD, target_RD).tolist() == [5.0, 0.0]


def test_the_penalized_score_decides_by_hand() -> None:
    # weight .5: .25, 1, 1.25, the proxy's order; weight 1: .5, 1, .5, where 0 and 2 tie below 1;
    # weight 2: 1, 1, -1, where 0 and 1 tie above 2
    assert law(0.5, 2) == pytest.approx([0.25, 0.39, 0.36])
    tied = 0.7**2
    assert law(1.0, 2) == pytest.approx([tied * 5 / 7, 1 - tied, tied * 2 / 7])
    assert law(2.0, 2) == pytest.approx([0.96 * 5 / 8, 0.96 * 3 / 8, 0.04])


@pytest.mark.parametrize("n", [1.0, 2.0, 4.0])
def test_no_weight_is_best_of_n(n: float) -> None:
    assert law(0.0, n) == pytest.approx(bon.weights(bon.Config(), WORLD, n).ravel())
    assert caution.kl_bound_nats(Config(), n) == bon.kl_bound_nats(bon.Config(), n)


def test_kl_is_not_monotone_in_the_weight() -> None:
    kl = [float(kl_listed(law(w, 4)[None], REFERENCE_V[None])[0]) for w in (0.0, 2.0, 100.0)]
    assert kl[1] < kl[0] and kl[1] < kl[2]
    assert law(100.0, 4)[0] == pytest.approx(1 - 0.5**4)  # the most familiar


def test_on_a_pool_it_is_best_of_n_of_the_penalized_score() -> None:
    proxy_BN, novelty_BN = np.random.default_rng(0).normal(size=(2, 3, 12))
    pool = samples_of_reference(proxy_BN)._replace(novelty_BN=novelty_BN)
    penalized = samples_of_reference(proxy_BN - 0.7 * novelty_BN)
    found = caution.unbiased_weights(Config(weight=0.7), pool, 4.0)
    assert found == pytest.approx(bon.unbiased_weights(bon.Config(), penalized, 4.0))
    assert caution.samples_used(Config(), 512, 4.0) == 4


def test_the_predictor_reads_each_row_to_its_last_token() -> None:
    torch.manual_seed(0)
    predictor = caution.make_predictor(Config(width=5), PredictorShape(embedded=3, target=2))
    embedded_RLE = torch.randn(2, 4, 3)
    found_RD = predictor(embedded_RLE, torch.tensor([2, 4]))
    assert found_RD.shape == (2, 2)
    filled = embedded_RLE.clone()
    filled[0, 2:] = 9.0
    assert_close(predictor(filled, torch.tensor([2, 4])), found_RD)
    filled[0, 0] = 9.0
    assert (predictor(filled, torch.tensor([2, 4]))[0] - found_RD[0]).abs().max() > 1e-3


def test_settings_reach_the_engine() -> None:
    assert caution.training(Config()) == Training(epochs=2, module_rate=5.0)
