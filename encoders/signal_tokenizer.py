"""SignalTokenizer: segments in, readable tokens out, and one folder that holds all it learned."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data_builders.normalisation import Normaliser
from data_builders.recording import LABELS
from data_builders.segments import Segments
from encoders.bins import QuantileBins
from encoders.feature_ranking import by_information
from encoders.inputs import SignalInputs, signal_inputs
from encoders.quantities import described, quantity_values
from encoders.signal_encoder import EncoderConfig, SignalEncoder, labelled_rows
from encoders.signal_text import digits, positions, single_sources, spell, write
from encoders.tokenizer_folder import read_folder, restore, write_folder
from encoders.vocabulary import bin_token, bracket, code_token, level_token, ordinal_vectors, rotated

__all__ = ["SIGNAL_MODES", "SignalTokenizer", "SignalTokenizerConfig"]

SIGNAL_MODES = ("tokens", "words", "digits")
"""New rows of the LLM; words that it knows; numbers as text."""

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
    ranked_by: list[str] | None = None  # labels that features are ranked by; None: what the encoder is taught
    token_dropout: float = 0.2  # share of the tokens that augmented copies leave out
    n_bins: int = 8  # quantile bins a feature
    n_binned: int = 32  # features that the "bins" source writes out, the most informative ones
    n_described: int = 16  # quantities that the "levels" source writes out at most
    n_levels: int = 32  # quantile bins of each

    def __post_init__(self) -> None:
        unknown = sorted(set(self.ranked_by or ()) - set(LABELS))
        if unknown:
            raise ValueError(f"SignalTokenizerConfig: ranked_by holds {unknown}; allowed are {list(LABELS)}.")


class SignalTokenizer:
    """Turn segments into text for an LLM.

    There are three sources of text for the same segment:

    - ``codes``: learned codebook entries, ``<|gsr|><|gsr_vq_0012|>…<|/gsr|>``, one token a frame;
    - ``bins``: normalised hand-made features in quantile bins, ``<|gsr_scr_rate_07|>…``, one token a feature;
    - ``levels``: the quantities that are described in words (`encoders.quantities`), as measured, in fine
      quantile bins, ``<|gsr_level_abs_21|>…``.

    ``codes+bins`` writes one behind the other. The signal mode says how: ``tokens`` are new to the LLM;
    ``words`` are words that it knows, one for each token; ``digits`` are the numbers themselves: of codes
    what the encoder's heads read, of bins the normalised features, of levels the measured values.

    Parameters
    ----------
    config : SignalTokenizerConfig
    classes : tuple of str
        Labels that the encoder is supervised by.
    seed : int

    Attributes
    ----------
    signal_mode : {"tokens", "words", "digits"}
        Set by `in_mode`.
    spelling : dict of str to str
        Token -> text, for "words".
    encoder_ : SignalEncoder
    feature_normaliser_ : Normaliser
    bins_ : QuantileBins
    feature_names_ : list of str
    bin_features_ : list of int
        Columns of the ``bins`` source.
    level_features_ : list of str
        Columns of the ``levels`` source.
    levels_ : QuantileBins
    """

    sources = ("codes", "bins", "levels")

    def __init__(self, config: SignalTokenizerConfig, classes: tuple[str, ...], seed: int = 0) -> None:
        self.config = config
        self.classes = tuple(classes)
        self.seed = seed
        self.signal_mode = "tokens"
        self.spelling: dict[str, str] = {}

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
        labels = self._ranking_labels()
        rows = labelled_rows(train, self.classes, targets=labels)
        self.feature_normaliser_ = Normaliser(self.config.normalisation).fit(_matrix(train), train.table)
        values = self.features(train)[rows]
        ranked = by_information(values, train.table.iloc[rows], labels, self.classes)
        self.bin_features_ = sorted(ranked[: self.config.n_binned])
        self.bins_ = QuantileBins(self.config.n_bins).fit(values[:, self.bin_features_])
        self.level_features_ = [one.key for one in described(self.feature_names_)][: self.config.n_described]
        self.levels_ = QuantileBins(self.config.n_levels)
        if self.level_features_:
            self.levels_.fit(self._measured(train, rows))
        return self

    def _measured(self, inputs: SignalInputs, rows: np.ndarray) -> np.ndarray:
        """The described quantities of some rows, shape (n_rows, n_described)."""
        return quantity_values(inputs.features.iloc[rows], described(self.level_features_))

    def _ranking_labels(self) -> list[str]:
        """What features are ranked by: the classes if the encoder is taught them, else all its targets."""
        if self.config.ranked_by:
            return self.config.ranked_by
        targets = self.encoder_.config.targets if self.encoder_ is not None else ["emotion"]
        if "emotion" not in targets:
            return targets
        if not self.classes:
            raise ValueError("there are no classes to rank features by; name other labels in ranked_by.")
        return ["emotion"]

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
        source : {"codes", "bins", "levels"} or several of them joined by "+"

        Returns
        -------
        list of str, one a segment
        """
        inputs = self._inputs(segments)
        return self.encode_copies(inputs, np.arange(len(inputs)), source)[0]

    def encode_copies(
        self, inputs: SignalInputs, rows: np.ndarray, source: str, copies: int = 0, seed: int = 0
    ) -> list[list[str]]:
        """Texts of some rows, followed by those of augmented copies (training subjects only).

        Levels are the same in all copies: they say what was measured.
        """
        if "+" in source:
            parts = [self.encode_copies(inputs, rows, part, copies, seed) for part in source.split("+")]
            return [
                ["".join(texts) for texts in zip(*copy, strict=True)] for copy in zip(*parts, strict=True)
            ]
        self._check_source(source)
        if self.signal_mode == "digits":
            numbers = self._numbers(inputs, rows, source, copies, seed)
            return [digits(values, source == "levels") for values in numbers]
        groups, found = self._groups(source), self._symbols(inputs, rows, source, copies, seed)
        return [write(groups, one, self.spelling) for one in found]

    def in_mode(self, mode: str, sources: Sequence[str] = (), words: Sequence[str] = ()) -> SignalTokenizer:
        """A tokenizer that has learned the same and writes it in another mode.

        Parameters
        ----------
        mode : {"tokens", "words", "digits"}
        sources : sequence of str
            That will be written, for "words".
        words : sequence of str
            Words that the LLM knows as one token each, for "words"; each stands for one signal token.

        Raises
        ------
        ValueError
            If the mode is unknown, or there are fewer words than tokens.
        """
        if mode not in SIGNAL_MODES:
            raise ValueError(f"signal_mode is {mode!r}; allowed are {list(SIGNAL_MODES)}.")
        tokenizer = copy(self)
        tokenizer.signal_mode = mode
        groups = [self._groups(part) for part in single_sources(sources)] if mode == "words" else []
        tokenizer.spelling = spell({k: v for group in groups for k, v in group.items()}, words)
        return tokenizer

    def _symbols(
        self, inputs: SignalInputs, rows: np.ndarray, source: str, copies: int, seed: int
    ) -> list[dict[str, np.ndarray]]:
        """By group the positions of tokens in it, shape (n_rows, n_tokens), -1 for none; one entry a copy."""
        rng = np.random.default_rng(seed)
        if source == "codes":
            plain, *copied = self.encoder.codes(inputs, rows, copies, seed)
            return [plain, *({name: self._thin(codes, rng) for name, codes in one.items()} for one in copied)]
        if source == "levels":
            return [{source: positions(self.levels_, self._measured(inputs, rows))}] * (copies + 1)
        bins, *others = (
            positions(self.bins_, one[:, self.bin_features_])
            for one in self._noisy_features(inputs, rows, copies, rng)
        )
        return [{"features": bins}, *({"features": self._thin(other, rng)} for other in others)]

    def _numbers(
        self, inputs: SignalInputs, rows: np.ndarray, source: str, copies: int, seed: int
    ) -> list[np.ndarray]:
        """What the mode "digits" writes, shape (n_rows, n_numbers); one entry a copy."""
        if source == "codes":
            return self.encoder.embeddings(inputs, rows, copies, seed)
        if source == "levels":
            return [self._measured(inputs, rows)] * (copies + 1)
        noisy = self._noisy_features(inputs, rows, copies, np.random.default_rng(seed))
        return [one[:, self.bin_features_] for one in noisy]

    def _noisy_features(
        self, inputs: SignalInputs, rows: np.ndarray, copies: int, rng: np.random.Generator
    ) -> list[np.ndarray]:
        values = self.features(inputs)[rows]
        noisy = values + FEATURE_NOISE * rng.standard_normal((copies, *values.shape))
        return [values, *noisy]

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
        parts = single_sources(sources)
        tokens = [token for part in parts for token in self.tokens(part)]
        return tokens, np.concatenate([self.token_vectors(part) for part in parts])

    def tokens(self, source: str) -> list[str]:
        """New tokens that a source needs, in a fixed order; none where words or digits are written."""
        self._check_source(source)
        if self.signal_mode != "tokens":
            return []
        groups = self._groups(source).items()
        return [t for name, symbols in groups for t in (bracket(name), bracket(name, close=True), *symbols)]

    def token_vectors(self, source: str) -> np.ndarray:
        """A vector for each of `tokens`, from the codebooks; neighbouring bins are close.

        Returns
        -------
        ndarray, shape (n_tokens, 64)
        """
        self._check_source(source)
        if self.signal_mode != "tokens":
            return np.empty((0, VECTOR_DIM))
        # A stream of random numbers for each source, or the brackets of two would be alike.
        rng = np.random.default_rng([self.seed, self.sources.index(source)])
        vectors = [np.empty((0, VECTOR_DIM))]
        for name in self._groups(source):
            vectors += [rng.standard_normal((2, VECTOR_DIM)), self._group_vectors(source, name, rng)]
        return np.concatenate(vectors)

    def _group_vectors(self, source: str, name: str, rng: np.random.Generator) -> np.ndarray:
        if source == "codes":
            return rotated(self._code_vectors(name), VECTOR_DIM, rng)
        bins = self.bins_ if source == "bins" else self.levels_
        return ordinal_vectors(bins.n_bins_.tolist(), VECTOR_DIM, rng)

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
        ValueError
            If it is of a version with other settings; the file and the settings are named.
        """
        about, arrays = read_folder(Path(folder), SignalTokenizerConfig)
        self = cls(SignalTokenizerConfig(**about["config"]), tuple(about["classes"]), about["seed"])
        self.encoder_ = self._new_encoder()
        restore(self, about, arrays)
        return self

    def _inputs(self, segments: Segments | SignalInputs) -> SignalInputs:
        if isinstance(segments, SignalInputs):
            return segments
        return signal_inputs(segments, self.config.frame_seconds, self.config.features)

    def _groups(self, source: str) -> dict[str, list[str]]:
        """The tokens of a source but for brackets, by the name in the brackets."""
        if source == "levels":
            columns = (
                zip(self.level_features_, self.levels_.n_bins_, strict=True) if self.level_features_ else ()
            )
            return {"levels": [level_token(name, k) for name, n in columns for k in range(n)]}
        if source == "bins":
            names = [self.feature_names_[column] for column in self.bin_features_]
            columns = zip(names, self.bins_.n_bins_, strict=True)
            return {"features": [bin_token(name, k) for name, n in columns for k in range(n)]}
        quantizers, kind = self.encoder.network_.quantizers, self.encoder.config.quantizer or ""
        return {
            name: [code_token(name, kind, code) for code in range(quantizers[name].codebook_size)]
            for name in (stream.name for stream in self.stream_specs_)
        }


def _matrix(inputs: SignalInputs) -> np.ndarray:
    return inputs.features.to_numpy(dtype=np.float32)
