"""Diagnostics of one policy: what is looked at beside its point, and never ranked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.artifacts.points import Floats, Point, Pool, estimate
from overopt.stats.diagnostics.lengths import length_r2
from overopt.stats.diagnostics.similarity import meteor, repeated_share
from overopt.stats.kl import clustered_mean
from overopt.stats.monitoring.outliers import spread_of
from overopt.stats.proxy_quality import (
    calibration_error,
    correlate_proxy,
    hill_tail_index,
    preference_probability,
)
from overopt.worlds.tokens import Tokens

_LOOKED_AT = 64
"""Responses of a prompt that are looked at, at most; the pool has more."""
_ALIKE = 4
"""Responses of a prompt whose likeness to the initial policy's is measured."""


def diagnose_rewards(gold_BN: Floats, proxy_BN: Floats, log_odds_per_unit: float | None) -> Point:
    """How proxy and gold go together on a policy's responses to B prompts, N of each.

    The tail index is that of proxy - gold, each divided by its SD on these responses. The
    calibration error is of comparisons of two responses to one prompt, by the proxy's difference as
    log-odds; it is missing of systems whose reward is none.

    Args:
        gold_BN, proxy_BN: (B, N), each in a unit of its own.
        log_odds_per_unit: what turns a difference of the proxy, as given, into log-odds; None where
            nothing does.
    """
    gold_BN, proxy_BN = gold_BN[:, :_LOOKED_AT], proxy_BN[:, :_LOOKED_AT]
    prompt_R = np.repeat(np.arange(len(gold_BN)), gold_BN.shape[1])
    found = correlate_proxy(prompt_R, gold_BN.ravel(), proxy_BN.ravel())
    point: Point = {"correlation": found.pooled, "correlation_within": found.within}
    if gold_BN.std() > 0 and proxy_BN.std() > 0:
        error_R = (proxy_BN / proxy_BN.std() - gold_BN / gold_BN.std()).ravel()
        try:
            tail = hill_tail_index(error_R)
        except ValueError:
            pass  # equal errors, or too few, have no tail
        else:
            point.update(tail_index=tail.alpha, tail_index_se=tail.se)
    even = gold_BN.shape[1] // 2 * 2
    gap_BP = gold_BN[:, 0:even:2] - gold_BN[:, 1:even:2]
    differ_BP = gap_BP != 0
    if log_odds_per_unit is not None and differ_BP.any():
        margin_P = log_odds_per_unit * (proxy_BN[:, 0:even:2] - proxy_BN[:, 1:even:2])[differ_BP]
        wins_P = (gap_BP[differ_BP] > 0).astype(np.float64)
        found_error = calibration_error(preference_probability(margin_P), wins_P)
        point["calibration_error"] = found_error.error
    return point


def diagnose_members(score_MN: Floats) -> Point:
    """The mean over samples of the SD over M members, in the members' unit; nothing of one."""
    return {"spread": float(spread_of(score_MN).mean())} if len(score_MN) > 1 else {}


def diagnose_texts(
    responses: Tokens, pool: Pool, log_ratio_BN: Floats | None, prompts: int
) -> Point:
    """How responses repeat themselves, how like the initial policy's they are, what length does.

    Args:
        responses: B x N, prompt-major.
        pool: the initial policy's.
        log_ratio_BN: log pi/pi_ref of each response, nats; None where the policy does not say.
        prompts: B.
    """
    point: Point = {}
    samples = responses.rows() // prompts
    kept = responses.take(_first(samples, prompts, min(_LOOKED_AT, samples)))
    words_N = kept.length_N - kept.ends_with(pool.stop_ids)
    share_BN = repeated_share(kept.ids_NT, words_N).reshape(prompts, -1)
    whole_B = ~np.isnan(share_BN).any(axis=1)
    if whole_B.any():
        estimate(point, "repetition", clustered_mean(share_BN[whole_B]), "")
    alike = min(_ALIKE, samples)
    ours = _first(samples, prompts, alike)
    theirs = _first(pool.responses.rows() // prompts, prompts, alike)
    likeness = [
        meteor(_words(responses, one, pool.stop_ids), _words(pool.responses, other, pool.stop_ids))
        for one, other in zip(ours, theirs, strict=True)
    ]
    estimate(point, "meteor", clustered_mean(np.reshape(likeness, (prompts, alike))), "")
    if log_ratio_BN is not None:
        length_N = responses.length_N.astype(np.float64)
        point["length_r2"] = length_r2(log_ratio_BN.ravel(), length_N)
    return point


def _first(samples: int, prompts: int, count: int) -> npt.NDArray[np.int64]:
    """Rows of the first ``count`` of each prompt's samples, prompt-major."""
    return (np.arange(prompts)[:, None] * samples + np.arange(count)).ravel()


def _words(texts: Tokens, row: int, stop_ids: tuple[int, ...]) -> list[int]:
    ids: list[int] = texts.ids_NT[row, : texts.length_N[row]].tolist()
    return ids[:-1] if ids and ids[-1] in stop_ids else ids
