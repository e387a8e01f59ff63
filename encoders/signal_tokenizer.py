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
from encoders.encoder_config import EncoderConfig
from encoders.feature_ranking import by_information
from encoders.inputs import SignalInputs, signal_inputs
from encoders.quantities import described
from encoders.signal_encoder import SignalEncoder, labelled_rows
from encoders.signal_text import digits, single_sources, spell, write
from encoders.token_sources import Bins, Codes, Levels, NormalisedFeatures, TokenSource
from encoders.tokenizer_folder import read_folder, restore, write_folder
from encoders.vocabulary import bracket

__all__ = ["SIGNAL_MODES", "SignalTokenizer", "SignalTokenizerConfig"]

SIGNAL_MODES = ("tokens", "words", "digits")
"""New rows of the LLM; words that it knows; numbers as text."""

VECTOR_DIM = 64


@dataclass
class SignalTokenizerConfig:
    """What a signal tokenizer learns."""

    encoder: dict | None = field(default_factory=dict)  # of EncoderConfig; None for no codes
    normalisation: str = "subject"  # subject, recording (transductive), baseline (causal), none
    frame_seconds: float | dict = 2.0  # seconds a frame, for all streams or by stream
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

    - ``codes``: learned codebook entries, ``<|gsr|><|gsr_vq_0012|>…<|/gsr|>``, one or several tokens a
      frame;
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
    encoder_ : SignalEncoder or None
    features_ : NormalisedFeatures
    bins_ : Bins
    levels_ : Levels
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
        self.features_ = NormalisedFeatures(Normaliser(self.config.normalisation)).fit(train)
        labels = self._ranking_labels()
        rows = labelled_rows(train, self.classes, targets=labels)
        values = self.features_.transform(train)[rows]
        ranked = by_information(values, train.table.iloc[rows], labels, self.classes)
        columns = sorted(ranked[: self.config.n_binned])
        self.bins_ = self.new_bins(columns, QuantileBins(self.config.n_bins).fit(values[:, columns]))
        keys = [one.key for one in described(self.features_.names, train.specs)][: self.config.n_described]
        self.levels_ = Levels(keys, QuantileBins(self.config.n_levels)).fit(train, rows)
        return self

    def new_bins(self, columns: Sequence[int], quantiles: QuantileBins) -> Bins:
        """The source ``bins`` of some columns of the features."""
        return Bins(self.features_, columns, quantiles, self.config.token_dropout)

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
            return [[self.joined(t) for t in zip(*copy, strict=True)] for copy in zip(*parts, strict=True)]
        one = self._source(source)
        if self.signal_mode == "digits":
            return [digits(values, one.measured) for values in one.numbers(inputs, rows, copies, seed)]
        groups, found = one.groups(), one.symbols(inputs, rows, copies, seed)
        return [write(groups, symbols, self.spelling) for symbols in found]

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
        groups: dict[str, list[str]] = {}
        for part in single_sources(sources) if mode == "words" else []:
            for name, tokens in self._source(part).groups().items():
                # A stream of given features has the same brackets as the bins.
                groups.setdefault(name, []).extend(tokens)
        tokenizer.spelling = spell(groups, words)
        return tokenizer

    def joined(self, texts: Sequence[str]) -> str:
        """What several sources write of a segment, behind each other."""
        return (" " if self.signal_mode == "digits" else "").join(texts)

    def require(self, sources: Sequence[str]) -> None:
        """Raise ValueError if a source is unknown, or needs codes that this tokenizer does not have."""
        for part in single_sources(sources):
            self._source(part)

    def _source(self, name: str) -> TokenSource:
        if name not in self.sources:
            raise ValueError(f"source is {name!r}; allowed are {list(self.sources)}.")
        if name == "codes":
            return Codes(self.encoder, self.config.token_dropout)
        if name == "levels" and not self.levels_.keys:
            raise ValueError("none of the features is described in words: there are no levels to write.")
        return self.bins_ if name == "bins" else self.levels_

    def vocabulary(self, sources: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """New tokens of several sources, each once, and their vectors, shape (n_tokens, 64)."""
        parts = single_sources(sources)
        tokens = [token for part in parts for token in self.tokens(part)]
        vectors = np.concatenate([self.token_vectors(part) for part in parts])
        # A stream of given features has the same brackets as the bins.
        first = [k for k, token in enumerate(tokens) if tokens.index(token) == k]
        return [tokens[k] for k in first], vectors[first]

    def tokens(self, source: str) -> list[str]:
        """New tokens that a source needs, in a fixed order; none where words or digits are written."""
        one = self._source(source)
        if self.signal_mode != "tokens":
            return []
        groups = one.groups().items()
        return [t for name, symbols in groups for t in (bracket(name), bracket(name, close=True), *symbols)]

    def token_vectors(self, source: str) -> np.ndarray:
        """A vector for each of `tokens`, from the codebooks; neighbouring bins are close.

        Returns
        -------
        ndarray, shape (n_tokens, 64)
        """
        one = self._source(source)
        if self.signal_mode != "tokens":
            return np.empty((0, VECTOR_DIM))
        # A stream of random numbers for each source, or the brackets of two would be alike.
        rng = np.random.default_rng([self.seed, self.sources.index(source)])
        vectors = [np.empty((0, VECTOR_DIM))]
        for name in one.groups():
            vectors += [rng.standard_normal((2, VECTOR_DIM)), one.vectors(name, VECTOR_DIM, rng)]
        return np.concatenate(vectors)

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
