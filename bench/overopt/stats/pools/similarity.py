"""How alike the responses of a draw are, without writing the features of every draw out.

D draws of n out of a pool hold D n F numbers, most of them the same again and again. The mean
vector of a draw is a sparse matrix product, and what all of a prompt's responses have in common
with all of its draws is one dense product, out of which n columns a draw are read.
"""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from overopt.stats.arrays import Floats, Ints

Singles = npt.NDArray[np.float32]


def of_unit_length(feature_BNF: npt.NDArray[np.floating]) -> Singles:
    """Features divided by their length; 0 where they have none."""
    length_BN1 = np.sqrt(np.einsum("bnf,bnf->bn", feature_BNF, feature_BNF))[..., None]
    unit_BNF = np.zeros(feature_BNF.shape, np.float32)
    np.divide(feature_BNF, length_BN1, out=unit_BNF, where=length_BN1 > 0, casting="same_kind")
    return unit_BNF


def mean_cosine(unit_BNF: Singles, drawn_Dn: Ints) -> Floats:
    """Mean cosine of each response of a draw with all n of it, itself included, (D, n).

    Args:
        unit_BNF: features of unit length of N responses to each of B prompts; a cosine with 0 is 0.
        drawn_Dn: rows b N + i; a draw holds responses to one prompt. Fast where draws of a prompt
            lie side by side.

    Returns:
        Single precision, so that equal responses may differ by some 1e-7.
    """
    draws, n = drawn_Dn.shape
    samples = unit_BNF.shape[1]
    prompt_D = drawn_Dn[:, 0] // samples
    column_Dn = drawn_Dn - prompt_D[:, None] * samples
    found_Dn = np.empty((draws, n))
    edges = np.flatnonzero(np.diff(prompt_D)) + 1
    for start, end in zip([0, *edges], [*edges, draws], strict=True):
        unit_NF = unit_BNF[prompt_D[start]]
        column_dn = column_Dn[start:end]
        among_dN = csr_array(
            (
                np.full(column_dn.size, 1 / n, np.float32),
                column_dn.ravel(),
                np.arange(0, column_dn.size + 1, n),
            ),
            shape=(end - start, samples),
        )
        cosine_dN = (among_dN @ unit_NF) @ unit_NF.T
        found_Dn[start:end] = np.take_along_axis(cosine_dN, column_dn, axis=1)
    return found_Dn
