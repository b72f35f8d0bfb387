"""How far clusters of samples lie off usual ones: the cluster separation index (CSI)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from overopt.stats.arrays import Floats, Ints, check_finite

LEAST = 5
"""Vectors within the radius, itself among them, that make one the core of a cluster."""

REACHED = 0.95
"""Share of the usual vectors that the radius makes cores."""


def cluster_separation(usual_ND: ArrayLike, sample_MD: ArrayLike, radius: float) -> float:
    """CSI = sum over clusters C of the samples |C| / M  min over usual s of ||mean of C - s||.

    Clusters are those of ``density_clusters``. A sample that belongs to none counts as a cluster
    of its own, so that every sample counts once.

    The weights are divided by the number of samples M, which the paper's sum is not: the index
    does not grow with how many are drawn. What the paper does with samples in no cluster, and its
    radius, were not verified.

    Args:
        usual_ND: N vectors of samples of the initial policy.
        sample_MD: M vectors of samples of a policy.
        radius: of the clusters, in the vectors' unit (``usual_radius``).

    Returns:
        A mean distance in the vectors' unit, at least 0.

    Raises:
        ValueError: shapes do not fit, one of the two is empty, or a value is not finite.

    Reference: Miao et al. 2024, "InfoRM: Mitigating Reward Hacking in RLHF via
        Information-Theoretic Reward Modeling", the section on detection (from several notes that
        agree, not from the text), https://arxiv.org/abs/2402.09345
    """
    usual, sample = check_finite(usual_ND, "usual vectors"), check_finite(sample_MD, "samples")
    if usual.ndim != 2 or sample.ndim != 2 or usual.shape[1] != sample.shape[1]:
        raise ValueError(f"vectors must be rows of one length, got {usual.shape}, {sample.shape}")
    cluster_M = density_clusters(sample, radius)
    size_C = np.bincount(cluster_M)
    center_CD = np.zeros((len(size_C), sample.shape[1]))
    np.add.at(center_CD, cluster_M, sample)
    nearest_C = cdist(center_CD / size_C[:, None], usual).min(axis=1)
    return float(size_C @ nearest_C / len(sample))


def density_clusters(vector_MD: ArrayLike, radius: float, least: int = LEAST) -> Ints:
    """Clusters of DBSCAN, (M,), numbered from 0; a vector in none is a cluster of its own.

    A core has at least ``least`` vectors within the radius, itself among them. Cores within the
    radius of each other are of one cluster. What is no core belongs to the cluster of its nearest
    core within the radius (DBSCAN: of the core that comes first), if there is one.

    Reference: Ester et al. 1996, "A Density-Based Algorithm for Discovering Clusters in Large
        Spatial Databases with Noise" (from memory)
    """
    vector = check_finite(vector_MD, "vectors")
    apart_MM = cdist(vector, vector)
    core_M = (apart_MM <= radius).sum(axis=1) >= least
    core_C = np.flatnonzero(core_M)
    cluster_M = np.full(len(vector), -1, np.int64)
    if core_C.size:
        near_CC = apart_MM[np.ix_(core_C, core_C)] <= radius
        cluster_M[core_C] = connected_components(near_CC, directed=False)[1]
        other_R = np.flatnonzero(~core_M)
        apart_RC = apart_MM[np.ix_(other_R, core_C)]
        closest_R = apart_RC.argmin(axis=1)
        is_near_R = apart_RC.min(axis=1) <= radius
        cluster_M[other_R[is_near_R]] = cluster_M[core_C[closest_R[is_near_R]]]
    alone = np.flatnonzero(cluster_M < 0)
    cluster_M[alone] = cluster_M.max(initial=-1) + 1 + np.arange(alone.size)
    return cluster_M


def usual_radius(usual_ND: ArrayLike, least: int = LEAST, reached: float = REACHED) -> float:
    """A radius at which a share of the usual vectors are cores: a quantile of their distances.

    Of each vector the distance to its ``least`` - 1 nearest others is taken, as the plot does by
    which DBSCAN's authors choose a radius; theirs is chosen by eye.

    Raises:
        ValueError: there are fewer vectors than make a core.
    """
    usual: Floats = check_finite(usual_ND, "usual vectors")
    if len(usual) < least:
        raise ValueError(f"a radius needs at least {least} vectors, got {len(usual)}")
    apart_NK = np.partition(cdist(usual, usual), least - 1, axis=1)
    return float(np.quantile(apart_NK[:, least - 1], reached))
