"""SignalTokenizer: segments in, readable tokens out, and one folder that holds all it learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data_builders.normalisation import Normaliser
from data_builders.segments import Segments
from encoders.bins import QuantileBins
from encoders.inputs import SignalInputs, signal_inputs
from encoders.signal_encoder import RATINGS, EncoderConfig, SignalEncoder, labelled_rows
from encoders.tokenizer_folder import read_folder, restore, write_folder
from encoders.vocabulary import bin_token, bracket, code_token, ordinal_vectors, rotated

__all__ = ["SignalTokenizer", "SignalTokenizerConfig"]

VECTOR_DIM = 64
FEATURE_NOISE = 0.1
"""Augmented copies of features: white noise of this many standard deviations."""


@dataclass
class SignalTokenizerConfig:
    """What a signal tokenizer learns."""

    encoder: dict | None = field(default_factory=dict)  # of EncoderConfig; None for no codes
    normalisation: str = "subject"  # subject, recording (transductive), baseline (causal), none
    frame_seconds: float | dict = 2.0  # seconds a code token, for all streams or by stream
    features: str = "standard"  # set of hand-made features: standard or full
    token_dropout: float = 0.2  # share of the tokens that augmented copies leave out
    n_bins: int = 8  # quantile bins a feature
    n_binned: int = 32  # features that the "bins" source writes out, the most informative ones
    n_floats: int = 16  # features that the "floats" source writes out, the most informative ones


class SignalTokenizer:
    """Turn segments into text for an LLM.

    There are three sources of text for the same segment:

    - ``codes``: learned codebook entries, ``<|gsr|><|gsr_vq_0012|>…<|/gsr|>``, one token a frame;
    - ``bins``: hand-made features in quantile bins, ``<|gsr_scr_rate_07|>…``, one token a feature;
    - ``floats``: normalised features as numbers in the base's own digits; no new tokens.

    ``codes+bins`` writes one behind the other.

    Parameters
    ----------
    config : SignalTokenizerConfig
    classes : tuple of str
        Labels that the encoder is supervised by.
    seed : int

    Attributes
    ----------
    encoder_ : SignalEncoder
    feature_normaliser_ : Normaliser
    bins_ : QuantileBins
    feature_names_ : list of str
    bin_features_, float_features_ : list of int
        Columns of the ``bins`` and ``floats`` sources.
    """

    sources = ("codes", "bins", "floats")

    def __init__(self, config: SignalTokenizerConfig, classes: tuple[str, ...], seed: int = 0) -> None:
        self.config = config
        self.classes = tuple(classes)
        self.seed = seed

    def fit(
        self,
        train: Segments | SignalInputs,
        validation: Segments | SignalInputs,
        progress: bool = True,
        folder: Path | None = None,
    ) -> SignalTokenizer:
        """Fit encoder, codebooks and bins.

        Parameters
        ----------
        train : Segments or SignalInputs
            Training subjects; all their windows, overlapping and reference ones too.
        validation : Segments or SignalInputs
            Other subjects, by which the encoder's training stops.
        progress : bool
        folder : Path, optional
            Where a stopped training of the encoder goes on, see `encoders.training.fit_model`.
        """
        train, validation = self._inputs(train), self._inputs(validation)
        self.encoder_ = self._new_encoder()
        self.stream_specs_ = train.stream_specs
        if self.encoder_ is not None:
            self.encoder_.fit(train, validation, progress, folder)
            self.stream_specs_ = self.encoder_.stream_specs_
        self.feature_names_ = list(train.features.columns)
        label = self._ranking_label()
        rows = labelled_rows(train, self.classes, targets=[label])
        self.feature_normaliser_ = Normaliser(self.config.normalisation).fit(_matrix(train), train.table)
        values = self.features(train)[rows]
        ranked = _by_information(values, train.table[label].iloc[rows], label in RATINGS)
        self.bin_features_ = sorted(ranked[: self.config.n_binned])
        self.float_features_ = sorted(ranked[: self.config.n_floats])
        self.bins_ = QuantileBins(self.config.n_bins).fit(values[:, self.bin_features_])
        return self

    def _ranking_label(self) -> str:
        """What features are ranked by: the classes; where there are none, the encoder's first target."""
        targets = self.encoder_.config.targets if self.encoder_ is not None else []
        if self.classes:
            return "emotion"
        if not targets:
            raise ValueError("there are no classes to rank features by; train an encoder on the ratings.")
        return targets[0]

    def _new_encoder(self) -> SignalEncoder | None:
        if self.config.encoder is None:
            return None
        config = EncoderConfig(**{**self.config.encoder, "normalisation": self.config.normalisation})
        return SignalEncoder(config, self.classes, self.seed)

    @property
    def encoder(self) -> SignalEncoder:
        """The fitted encoder; ValueError if the tokenizer was made without one."""
        if self.encoder_ is None:
            raise ValueError(
                "this signal tokenizer has no encoder and so no codes; its config says encoder: null."
            )
        return self.encoder_

    def features(self, inputs: SignalInputs) -> np.ndarray:
        """Normalised features, shape (n_segments, n_features)."""
        if list(inputs.features.columns) != self.feature_names_:
            missing = sorted(set(self.feature_names_) ^ set(inputs.features.columns))
            raise ValueError(f"the features differ from those of the training data: {missing[:5]}.")
        return self.feature_normaliser_.transform(_matrix(inputs), inputs.table)

    def encode(self, segments: Segments | SignalInputs, source: str = "codes") -> list[str]:
        """Text of each segment.

        Parameters
        ----------
        segments : Segments or SignalInputs
            All windows of each of its subjects, since normalisation is relative to the subject.
        source : {"codes", "bins", "floats"} or two of them joined by "+"

        Returns
        -------
        list of str, one a segment
        """
        inputs = self._inputs(segments)
        return self.encode_copies(inputs, np.arange(len(inputs)), source)[0]

    def encode_copies(
        self, inputs: SignalInputs, rows: np.ndarray, source: str, copies: int = 0, seed: int = 0
    ) -> list[list[str]]:
        """Texts of some rows, followed by those of augmented copies (training subjects only)."""
        if "+" in source:
            parts = [self.encode_copies(inputs, rows, part, copies, seed) for part in source.split("+")]
            return [
                ["".join(texts) for texts in zip(*copy, strict=True)] for copy in zip(*parts, strict=True)
            ]
        self._check_source(source)
        rng = np.random.default_rng(seed)
        if source == "codes":
            plain, *copied = self.encoder.codes(inputs, rows, copies, seed)
            thinned = [{name: self._thin(codes, rng) for name, codes in copy.items()} for copy in copied]
            return [self._write_codes(codes) for codes in (plain, *thinned)]
        values = self.features(inputs)[rows]
        noisy = values + FEATURE_NOISE * rng.standard_normal((copies, *values.shape))
        if source == "floats":
            return [self._write_floats(one) for one in (values, *noisy)]
        bins, *others = (self.bins_.transform(one[:, self.bin_features_]) for one in (values, *noisy))
        return [self._write_bins(one) for one in (bins, *(self._thin(other, rng) for other in others))]

    def _thin(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Codes with a share of them gone, so that a model cannot lean on any single one."""
        return np.where(rng.random(codes.shape) < self.config.token_dropout, -1, codes)

    def require(self, sources: Sequence[str]) -> None:
        """Raise ValueError if a source is unknown, or needs codes that this tokenizer does not have."""
        for source in sources:
            for part in source.split("+"):
                self._check_source(part)

    def _check_source(self, source: str) -> None:
        if source not in self.sources:
            raise ValueError(f"source is {source!r}; allowed are {list(self.sources)}.")
        if source == "codes":
            self.encoder.network_.require_quantizers()

    def vocabulary(self, sources: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """New tokens of several sources, each once, and their vectors, shape (n_tokens, 64)."""
        parts = list(dict.fromkeys(part for source in sources for part in source.split("+")))
        tokens = [token for part in parts for token in self.tokens(part)]
        return tokens, np.concatenate([self.token_vectors(part) for part in parts])

    def tokens(self, source: str) -> list[str]:
        """New tokens that a source needs, in a fixed order."""
        self._check_source(source)
        if source == "codes":
            return self._code_tokens()
        if source == "bins":
            return [bracket("features"), bracket("features", close=True), *self._bin_tokens()]
        return []

    def token_vectors(self, source: str) -> np.ndarray:
        """A vector for each of `tokens`, from the codebooks; neighbouring bins are close.

        Returns
        -------
        ndarray, shape (n_tokens, 64)
        """
        self._check_source(source)
        # A stream of random numbers for each source, or the brackets of two would be alike.
        rng = np.random.default_rng([self.seed, self.sources.index(source)])
        if source == "bins":
            return np.concatenate([rng.standard_normal((2, VECTOR_DIM)), self._bin_vectors(rng)])
        vectors = [np.empty((0, VECTOR_DIM))]
        for stream in self.stream_specs_ if source == "codes" else []:
            vectors += [
                rng.standard_normal((2, VECTOR_DIM)),
                rotated(self._code_vectors(stream.name), VECTOR_DIM, rng),
            ]
        return np.concatenate(vectors)

    def _code_vectors(self, stream: str) -> np.ndarray:
        """Codebook rows beside what the head makes of them, at equal spread."""
        network = self.encoder.network_
        codebook = network.quantizers[stream].codebook.detach().cpu().double().numpy()
        evidence = network.code_evidence(stream).cpu().double().numpy()
        parts = [part - part.mean(axis=0) for part in (codebook, evidence)]
        return np.concatenate([part / (np.linalg.norm(part) or 1.0) for part in parts], axis=1)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``signal_tokenizer.json`` and ``signal_tokenizer.safetensors``."""
        write_folder(self, Path(folder))

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> SignalTokenizer:
        """Read what `save_pretrained` wrote.

        Raises
        ------
        FileNotFoundError
            If the folder holds no signal tokenizer.
        """
        about, arrays = read_folder(Path(folder))
        self = cls(SignalTokenizerConfig(**about["config"]), tuple(about["classes"]), about["seed"])
        self.encoder_ = self._new_encoder()
        restore(self, about, arrays)
        return self

    def _inputs(self, segments: Segments | SignalInputs) -> SignalInputs:
        if isinstance(segments, SignalInputs):
            return segments
        return signal_inputs(segments, self.config.frame_seconds, self.config.features)

    def _code_tokens(self) -> list[str]:
        kind, tokens = self._quantizer_name(), []
        for stream in self.stream_specs_:
            size = self.encoder.network_.quantizers[stream.name].codebook_size
            tokens += [bracket(stream.name), bracket(stream.name, close=True)]
            tokens += [code_token(stream.name, kind, code) for code in range(size)]
        return tokens

    def _quantizer_name(self) -> str:
        return self.encoder.config.quantizer or ""

    def _write_codes(self, codes: dict[str, np.ndarray]) -> list[str]:
        kind = self._quantizer_name()
        n_segments = len(next(iter(codes.values())))
        texts = [""] * n_segments
        for name, values in codes.items():
            for i, row in enumerate(values):
                inside = "".join(code_token(name, kind, code) for code in row if code >= 0)
                texts[i] += bracket(name) + inside + bracket(name, close=True)
        return texts

    def _binned_names(self) -> list[str]:
        return [self.feature_names_[column] for column in self.bin_features_]

    def _bin_tokens(self) -> list[str]:
        pairs = zip(self._binned_names(), self.bins_.n_bins_, strict=True)
        return [bin_token(name, k) for name, n in pairs for k in range(n)]

    def _bin_vectors(self, rng: np.random.Generator) -> np.ndarray:
        return ordinal_vectors(self.bins_.n_bins_.tolist(), VECTOR_DIM, rng)

    def _write_bins(self, bins: np.ndarray) -> list[str]:
        """A bin of -1, as of an undefined feature, leaves no token."""
        names = self._binned_names()
        start, end = bracket("features"), bracket("features", close=True)
        return [
            start + "".join(bin_token(name, k) for name, k in zip(names, row, strict=True) if k >= 0) + end
            for row in bins
        ]

    def _write_floats(self, values: np.ndarray) -> list[str]:
        return [" ".join(f"{value:.2f}" for value in row) for row in values[:, self.float_features_]]


def _matrix(inputs: SignalInputs) -> np.ndarray:
    return inputs.features.to_numpy(dtype=np.float32)


def _by_information(values: np.ndarray, labels: Any, rating: bool = False) -> list[int]:
    """Columns by falling mutual information with the label (Kraskov's estimate, Ross 2014)."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    estimate = mutual_info_regression if rating else mutual_info_classif
    information = estimate(np.nan_to_num(values), labels, random_state=0)
    return np.argsort(-information, kind="stable").tolist()
