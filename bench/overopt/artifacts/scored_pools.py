"""What a selection method is handed: the pool, and every response where a world lists them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from overopt.artifacts.listing import Listing
from overopt.artifacts.points import Floats, Pool
from overopt.artifacts.scores import aligned_features, aligned_novelty
from overopt.artifacts.tables import Table
from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.spec.declare import MethodInput
from overopt.stats.pools.similarity import of_unit_length
from overopt.worlds.answers import answering
from overopt.worlds.contract import World


def read_scored(
    inputs: dict[str, Path],
    needs: Collection[MethodInput],
    world: World,
    pool: Pool,
    listing: Listing | None,
) -> tuple[ScoredPool, ScoredPool | None]:
    """The pool and the listing with what the method's INPUTS name beside.

    Args:
        inputs: of the stage; ``features.pool`` and ``features.listing`` where features are needed,
            ``novelty`` where it is.
        needs: what of it comes from elsewhere.
        world: reads answers.
        pool, listing: with their scores.

    Raises:
        UserError: answers are needed, and responses have none.
    """
    sampled = samples_of_reference(pool.proxy_BN)
    listed = None if listing is None else ScoredPool(listing.proxy_BR, listing.reference_BR)
    center_F: Floats | None = None
    scale: tuple[float, float] | None = None
    read: list[ScoredPool | None] = []
    for role, one in (("pool", sampled), ("listing", listed)):
        if one is None:
            read.append(None)
            continue
        shape = one.proxy_BN.shape
        table = Table(inputs[role] / "samples.parquet")
        if "reference_logp" in needs:
            logp_N = table.floats("reference_logp")
            one = one._replace(reference_logp_BN=logp_N.reshape(shape))
        if "features" in needs:
            feature_NF = aligned_features(inputs[f"features.{role}"], table)
            center_F = feature_NF.mean(axis=0) if center_F is None else center_F
            feature_BNF = (feature_NF - center_F).reshape(*shape, -1)
            one = one._replace(unit_BNF=of_unit_length(feature_BNF))
        if "answers" in needs:
            answer_N = answering(world).answers(table.tokens("response"))
            one = one._replace(answer_BN=answer_N.reshape(shape))
        if "novelty" in needs:
            novelty_N = aligned_novelty(inputs["novelty"], role, table)
            scale = (float(novelty_N.mean()), float(novelty_N.std())) if scale is None else scale
            standard_N = (novelty_N - scale[0]) / scale[1]
            one = one._replace(novelty_BN=standard_N.reshape(shape))
        read.append(one)
    assert read[0] is not None
    return read[0], read[1]
