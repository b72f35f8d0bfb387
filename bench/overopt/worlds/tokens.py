"""Ragged token sequences as one padded array: the form in which text travels between stages."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PAD, BOS, SEP, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<bos>", "<sep>", "<eos>")


class Tokens(NamedTuple):
    """N token sequences, right-padded with PAD, which is filler only: lengths say what counts.

    ids_NT: int32 (N, T). length_N: int32 (N,), number of tokens that are not padding.
    A prompt is ``<bos> words <sep>``; a response is ``words <eos>``, or words alone where the
    token limit cut it short.
    """

    ids_NT: npt.NDArray[np.int32]
    length_N: npt.NDArray[np.int32]

    @classmethod
    def from_padded(cls, ids_NT: npt.NDArray[np.integer]) -> Tokens:
        """Tokens from a right-padded array, with lengths counted and spare columns cut.

        A PAD between other tokens belongs to the sequence; those after the last one do not.
        """
        position_T = np.arange(1, ids_NT.shape[1] + 1)
        length_N = np.where(ids_NT != PAD, position_T, 0).max(axis=1, initial=0).astype(np.int32)
        width = int(length_N.max(initial=0))
        return cls(np.ascontiguousarray(ids_NT[:, :width], dtype=np.int32), length_N)

    @classmethod
    def from_flat(cls, flat: npt.NDArray[np.integer], length_N: npt.NDArray[np.integer]) -> Tokens:
        """Tokens from the concatenation of all sequences and their lengths."""
        width = int(length_N.max(initial=0))
        mask_NT = np.arange(width) < length_N[:, None]
        ids_NT = np.full(mask_NT.shape, PAD, dtype=np.int32)
        ids_NT[mask_NT] = flat
        return cls(ids_NT, length_N.astype(np.int32))

    @property
    def mask_NT(self) -> npt.NDArray[np.bool_]:
        """True where a token stands, False on padding."""
        position_T = np.arange(self.ids_NT.shape[1])
        mask_NT: npt.NDArray[np.bool_] = position_T < self.length_N[:, None]
        return mask_NT

    @property
    def finished_N(self) -> npt.NDArray[np.bool_]:
        """True where the sequence ends with EOS."""
        return self.ends_with((EOS,))

    def ends_with(self, stop_ids: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """True where the sequence's last token is one of these."""
        if self.ids_NT.shape[1] == 0:
            return np.zeros(self.ids_NT.shape[0], dtype=np.bool_)
        last_N = np.maximum(self.length_N - 1, 0)
        ends_N: npt.NDArray[np.bool_] = np.isin(
            self.ids_NT[np.arange(len(self.length_N)), last_N], stop_ids
        ) & (self.length_N > 0)
        return ends_N

    def flat(self) -> npt.NDArray[np.int32]:
        """All tokens, sequence after sequence, without padding."""
        return self.ids_NT[self.mask_NT]

    def take(self, index_N: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Tokens:
        """The chosen rows, with spare columns cut."""
        length_N = self.length_N[index_N]
        width = int(length_N.max(initial=0))
        return Tokens(np.ascontiguousarray(self.ids_NT[index_N][:, :width]), length_N)

    def rows(self) -> int:
        """Number of sequences N (``len`` of a NamedTuple is its number of fields)."""
        return int(self.ids_NT.shape[0])


def concatenate(parts: list[Tokens]) -> Tokens:
    """All rows of the parts, in order."""
    width = max((part.ids_NT.shape[1] for part in parts), default=0)
    padded = [
        np.pad(part.ids_NT, ((0, 0), (0, width - part.ids_NT.shape[1])), constant_values=PAD)
        for part in parts
    ]
    return Tokens(np.concatenate(padded, axis=0), np.concatenate([part.length_N for part in parts]))


def end_to_end(parts: list[Tokens]) -> Tokens:
    """Row by row, the parts' sequences one after another; all have as many rows."""
    count = parts[0].rows()
    order_R = np.arange(len(parts) * count).reshape(-1, count).T.ravel()  # a row's parts in turn
    length_N = np.stack([part.length_N for part in parts]).sum(axis=0)
    return Tokens.from_flat(concatenate(parts).take(order_R).flat(), length_N)
