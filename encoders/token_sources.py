"""Where signal tokens come from: an encoder's codes, bins of normalised features, levels of quantities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from data_builders.normalisation import Normaliser
from encoders.bins import QuantileBins
from encoders.inputs import SignalInputs
from encoders.quantities import described, quantity_values
from encoders.signal_encoder import SignalEncoder
from encoders.vocabulary import bin_token, code_token, level_token, ordinal_vectors, rotated

__all__ = ["Bins", "Codes", "Levels", "NormalisedFeatures", "TokenSource"]

FEATURE_NOISE = 0.1
"""Augmented copies of features: white noise of this many standard deviations."""


class TokenSource(ABC):
    """One way to say a segment in tokens. Tokens stand in groups; a group's name is that of its brackets."""

    measured: ClassVar[bool] = False
    """Whether its numbers are in units."""

    @abstractmethod
    def groups(self) -> dict[str, list[str]]:
        """Tokens by group, in a fixed order."""

    @abstractmethod
    def symbols(
        self, inputs: SignalInputs, rows: np.ndarray, copies: int, seed: int
    ) -> list[dict[str, np.ndarray]]:
        """By group the positions of tokens in it, shape (n_rows, n_tokens), -1 for none.

        Returns
        -------
        list
            One of the rows as they are, and one of each augmented copy.
        """

    @abstractmethod
    def numbers(self, inputs: SignalInputs, rows: np.ndarray, copies: int, seed: int) -> list[np.ndarray]:
        """What the tokens stand for, shape (n_rows, n_numbers); one entry a copy, as `symbols`."""

    @abstractmethod
    def vectors(self, group: str, dim: int, rng: np.random.Generator) -> np.ndarray:
        """What rows of the tokens start from, shape (n_tokens, dim)."""


class Codes(TokenSource):
    """Codebook entries, one or several tokens a frame, as the quantizer has it.

    Parameters
    ----------
    encoder : SignalEncoder
        Fitted, with quantizers; ValueError if it has none.
    dropout : float
        Share of the tokens that augmented copies leave out.
    """

    def __init__(self, encoder: SignalEncoder, dropout: float) -> None:
        encoder.network_.require_quantizers()
        self.encoder, self.dropout = encoder, dropout

    def groups(self) -> dict[str, list[str]]:
        kinds = self.encoder.quantizer_names()
        return {
            name: [code_token(name, kinds[name] or "", code) for code in range(quantizer.codebook_size)]
            for name, quantizer in self.encoder.network_.quantizers.items()
        }

    def symbols(
        self, inputs: SignalInputs, rows: np.ndarray, copies: int, seed: int
    ) -> list[dict[str, np.ndarray]]:
        rng = np.random.default_rng(seed)
        plain, *copied = self.encoder.codes(inputs, rows, copies, seed)
        thinned = ({name: _thin(codes, self.dropout, rng) for name, codes in one.items()} for one in copied)
        return [plain, *thinned]

    def numbers(self, inputs: SignalInputs, rows: np.ndarray, copies: int, seed: int) -> list[np.ndarray]:
        """What the encoder's heads read."""
        return self.encoder.embeddings(inputs, rows, copies, seed)

    def vectors(self, group: str, dim: int, rng: np.random.Generator) -> np.ndarray:
        """Codebook rows beside what the head makes of them, at equal spread."""
        network = self.encoder.network_
        codebook = network.quantizers[group].codebook.detach().cpu().double().numpy()
        evidence = network.code_evidence(group).cpu().double().numpy()
        parts = [part - part.mean(axis=0) for part in (codebook, evidence)]
        known = np.concatenate([part / (np.linalg.norm(part) or 1.0) for part in parts], axis=1)
        return rotated(known, dim, rng)


class NormalisedFeatures:
    """Hand-made features, relative to their subject.

    Parameters
    ----------
    normaliser : Normaliser
    names : sequence of str
        Of the features, if the normaliser is fitted.
    """

    def __init__(self, normaliser: Normaliser, names: Sequence[str] = ()) -> None:
        self.normaliser, self.names = normaliser, list(names)

    def fit(self, inputs: SignalInputs) -> Self:
        self.names = list(inputs.features.columns)
        self.normaliser.fit(_matrix(inputs), inputs.table)
        return self

    def transform(self, inputs: SignalInputs) -> np.ndarray:
        """Shape (n_segments, n_features).

        Raises
        ------
        ValueError
            If the features are other ones than in `fit`.
        """
        if list(inputs.features.columns) != self.names:
            missing = sorted(set(self.names) ^ set(inputs.features.columns))
            raise ValueError(f"the features differ from those of the training data: {missing[:5]}.")
        return self.normaliser.transform(_matrix(inputs), inputs.table)


class Bins(TokenSource):
    """Quantile bins of normalised features, one token a feature; neighbouring bins start close.

    Parameters
    ----------
    features : NormalisedFeatures
    columns : sequence of int
        The features that are written.
    quantiles : QuantileBins
        Of those.
    dropout : float
        Share of the tokens that augmented copies leave out.
    """

    def __init__(
        self, features: NormalisedFeatures, columns: Sequence[int], quantiles: QuantileBins, dropout: float
    ) -> None:
        self.features, self.columns, self.quantiles = features, list(columns), quantiles
        self.dropout = dropout

    @property
    def feature_names(self) -> list[str]:
        return [self.features.names[column] for column in self.columns]

    def groups(self) -> dict[str, list[str]]:
        counted = zip(self.feature_names, self.quantiles.n_bins_, strict=True)
        return {"features": [bin_token(name, k) for name, n in counted for k in range(n)]}

    def symbols(
        self, inputs: SignalInputs, rows: np.ndarray, copies: int, seed: int
    ) -> list[dict[str, np.ndarray]]:
        rng = np.random.default_rng(seed)
        plain, *others = (_positions(self.quantiles, one) for one in self._noisy(inputs, rows, copies, rng))
        return [{"features": plain}, *({"features": _thin(other, self.dropout, rng)} for other in others)]

    def numbers(self, inputs: SignalInputs, rows: np.ndarray, copies: int, seed: int) -> list[np.ndarray]:
        return self._noisy(inputs, rows, copies, np.random.default_rng(seed))

    def vectors(self, group: str, dim: int, rng: np.random.Generator) -> np.ndarray:
        return ordinal_vectors(self.quantiles.n_bins_.tolist(), dim, rng)

    def report(self, inputs: SignalInputs, rows: np.ndarray) -> dict[str, dict[str, float]]:
        """Usage, perplexity, reconstruction error and mutual information of each feature's bins, by its name.

        Parameters
        ----------
        inputs : SignalInputs
            All windows of their subjects.
        rows : ndarray of int
            Those that are measured.

        Returns
        -------
        dict of dict
            See `encoders.code_statistics.bin_statistics`; without features that are NaN in all rows.
        """
        from encoders.code_statistics import bin_statistics

        values = self.features.transform(inputs)[rows][:, self.columns]
        bins, labels = self.quantiles.transform(values), inputs.table["emotion"].iloc[rows].to_numpy()
        counted = zip(self.feature_names, values.T, bins.T, self.quantiles.n_bins_, strict=True)
        return {
            name: bin_statistics(value, found, n, labels)
            for name, value, found, n in counted
            if (found >= 0).any()
        }

    def _noisy(
        self, inputs: SignalInputs, rows: np.ndarray, copies: int, rng: np.random.Generator
    ) -> list[np.ndarray]:
        values = self.features.transform(inputs)[rows]
        noise = FEATURE_NOISE * rng.standard_normal((copies, *values.shape))
        return [one[:, self.columns] for one in (values, *(values + noise))]


class Levels(TokenSource):
    """The quantities that are described in words, as measured, in fine quantile bins.

    They are the same in all copies: they say what was measured.

    Parameters
    ----------
    keys : sequence of str
        Of `encoders.quantities.described`; ValueError if one is no longer described.
    quantiles : QuantileBins
    """

    measured = True

    def __init__(self, keys: Sequence[str], quantiles: QuantileBins) -> None:
        self.keys, self.quantiles = list(keys), quantiles
        self.described = described(self.keys)
        if gone := sorted(set(self.keys) - {one.key for one in self.described}):
            raise ValueError(
                f"the signal tokenizer writes the levels of {gone}, which are no longer described; fit it "
                "again."
            )

    def fit(self, inputs: SignalInputs, rows: np.ndarray) -> Self:
        """Find the bins on training rows."""
        if self.keys:
            self.quantiles.fit(self._values(inputs, rows))
        return self

    def groups(self) -> dict[str, list[str]]:
        counted = zip(self.keys, self.quantiles.n_bins_, strict=True) if self.keys else ()
        return {"levels": [level_token(key, k) for key, n in counted for k in range(n)]}

    def symbols(
        self, inputs: SignalInputs, rows: np.ndarray, copies: int, seed: int
    ) -> list[dict[str, np.ndarray]]:
        found = _positions(self.quantiles, self._values(inputs, rows))
        return [{"levels": found}] * (copies + 1)

    def numbers(self, inputs: SignalInputs, rows: np.ndarray, copies: int, seed: int) -> list[np.ndarray]:
        known = {one.key: one for one in described(self.keys, inputs.specs)}
        in_units = [known.get(one.key, one) for one in self.described]
        return [quantity_values(inputs.features.iloc[rows], in_units)] * (copies + 1)

    def vectors(self, group: str, dim: int, rng: np.random.Generator) -> np.ndarray:
        return ordinal_vectors(self.quantiles.n_bins_.tolist(), dim, rng)

    def _values(self, inputs: SignalInputs, rows: np.ndarray) -> np.ndarray:
        return quantity_values(inputs.features.iloc[rows], self.described)


def _thin(positions: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Tokens with a share of them gone, so that a model cannot lean on any single one."""
    return np.where(rng.random(positions.shape) < share, -1, positions)


def _positions(quantiles: QuantileBins, values: np.ndarray) -> np.ndarray:
    """Bins of several columns as positions in one list of all their tokens; -1 for NaN."""
    found = quantiles.transform(values)
    return np.where(found < 0, -1, found + np.cumsum(quantiles.n_bins_) - quantiles.n_bins_)


def _matrix(inputs: SignalInputs) -> np.ndarray:
    return inputs.features.to_numpy(dtype=np.float32)
