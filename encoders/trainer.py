"""Stage ``train-encoder``: store -> split and signal tokenizer, in a run folder that says how it went.

From Python::

    trainer = Trainer(TrainEncoderConfig(store="runs/noneeg", out="runs/noneeg-cnn", network="cnn"))
    trainer.fit()
    results = trainer.test()

Under ``accelerate launch`` the processes train together, and the first one alone writes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from data_builders.leaks import check_leaks
from data_builders.places import write_whole
from data_builders.provenance import code_behind
from data_builders.splits import Split, load_splits, make_splits
from data_builders.stage import close_stage, locked, open_stage
from data_builders.store import SegmentStore
from encoders.encoder_config import EncoderConfig
from encoders.input_cache import store_inputs
from encoders.inputs import SignalInputs
from encoders.outside import encoders_outside
from encoders.run_folder import LAST, draw_results, write_training
from encoders.signal_encoder import BESIDE, SignalEncoder, labelled_rows
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig
from encoders.trainer_checks import check_against_store, labelled
from encoders.trainer_config import TrainEncoderConfig, full_settings, recipe, tokenizer_config
from encoders.training_config import TrainingConfig

__all__ = ["TrainEncoderConfig", "Trainer", "train_encoder"]

STAGE = "train-encoder"
TOKENIZER, SPLIT, RESULTS = "signal_tokenizer", "split.json", "results.json"


def train_encoder(config: TrainEncoderConfig, progress: bool = True) -> Path:
    """Fit, save and test an encoder with its signal tokenizer.

    Returns
    -------
    Path
        The run folder, see `Trainer`.
    """
    trainer = Trainer(config, progress).fit()
    if trainer.testable:
        results = trainer.test()
        if progress and trainer.writes:
            print(_summary(results, trainer.folder_))
    return trainer.folder_


class Trainer:
    """Train an encoder on a split of a store, and score it once on the test part.

    The run folder gets ``signal_tokenizer/`` and ``split.json``, which ``biollm build`` reads, and beside
    them ``config.yaml`` (a recipe that makes the same run again), ``history.json`` (a row an epoch),
    ``checkpoints/best.safetensors`` (the network's weights), ``logs/`` of the trackers, ``figures/``, and
    from `test` ``results.json`` and ``classification_report.txt``. While it trains, the folder is called
    ``OUT.partial`` and holds ``checkpoints/last.pt``, from which the same settings go on after a stop.

    Parameters
    ----------
    config : TrainEncoderConfig
    progress : bool
        Whether a progress bar with the metrics is shown.

    Attributes
    ----------
    folder_ : Path
    split_ : Split
    """

    def __init__(self, config: TrainEncoderConfig, progress: bool = True) -> None:
        self.config = config
        self.progress = progress

    def fit(self) -> Trainer:
        """Train, or find what the same settings have trained before; the test part is not looked at.

        Raises
        ------
        ValueError
            If the settings do not fit the store; all that is wrong is named.
        LeakError
            If the parts of the split know each other.
        """
        config = self.config
        self._store = store = SegmentStore(config.store)
        self.split_ = split = _split(config, store)
        check_leaks(store.table, split, store, store.fitted)
        self._settings = tokenizer_config(config)
        check_against_store(self._settings, config, store, split)
        state = _processes(self._settings)
        with locked(config.out, state.is_main_process):
            with state.main_process_first():
                partial = open_stage(STAGE, config.out, self._inputs_of_the_stage())
            if partial is not None:
                self._train(partial)
                if self.writes:
                    close_stage(STAGE, partial, config.out)
                _processes(self._settings).wait_for_everyone()
        self.folder_ = Path(config.out)
        if self.writes:
            # With what a kill has left, of an earlier call too.
            for path in (self.folder_ / LAST).parent.glob(f"{LAST.name}*"):
                path.unlink()
            for beside in self.folder_.glob(BESIDE.format("*")):
                shutil.rmtree(beside / LAST.parent, ignore_errors=True)
                if not any(beside.iterdir()):
                    beside.rmdir()
        return self

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes."""
        return _processes(self._settings).is_main_process

    @property
    def testable(self) -> bool:
        """Whether there is an encoder, and a test part with labels."""
        part = self._store.table[self.split_.mask(self._store.table, "test")]
        return self._settings.encoder is not None and bool(
            len(labelled(part[part["on_grid"]], self._targets, self._store.classes))
        )

    @property
    def _targets(self) -> list[str]:
        return EncoderConfig(**(self._settings.encoder or {})).targets

    def _inputs_of_the_stage(self) -> dict[str, Any]:
        settings = full_settings(self.config)
        chosen: dict[str, Any] = {name: settings[name] for name in ("tokenizer", "encoder", "seed")}
        chosen["training"] = {k: v for k, v in settings["training"].items() if k != "report_to"}
        data = {"store": self._store.key, "split": self.split_.hash}
        return {"config": chosen, **data, "code": code_behind(__file__), "outside": encoders_outside()}

    def _train(self, partial: Path) -> None:
        inputs, table = self._inputs(), self._store.table
        train, validation = (inputs[self.split_.mask(table, part)] for part in ("train", "validation"))
        tokenizer = SignalTokenizer(self._settings, self._store.classes, self.config.seed)
        tokenizer.fit(train, validation, self.progress, partial)
        if not self.writes:
            return
        tokenizer.save_pretrained(partial / TOKENIZER)
        self.split_.save(partial / SPLIT)
        write_whole(partial / "config.yaml", recipe(self.config))
        if tokenizer.encoder_ is not None:
            write_training(partial, tokenizer.encoder_, self._title())

    def _inputs(self) -> SignalInputs:
        settings = self._settings
        return store_inputs(self._store, settings.frame_seconds, self.config.jobs, features=settings.features)

    def test(self) -> dict[str, Any]:
        """Score the test part with the weights that `fit` kept; done once, then read.

        Returns
        -------
        dict
            What ``results.json`` holds: ``targets`` as `encoders.run_results.score_answers` gives them, the
            same ``by_dataset`` where there are several, counts of segments, subjects and parameters, the
            split's hash and protocol, and statistics of the ``bins`` and of the ``codes`` of a quantizer.

        Raises
        ------
        ValueError
            If `fit` was not called, there is no encoder, or no test segment has a label.
        """
        if not hasattr(self, "folder_"):
            raise ValueError("the encoder is not trained yet; call fit() first.")
        if not self.testable:
            raise ValueError(
                f"{self.folder_}: there is nothing to test: the tokenizer has no encoder, or no segment of "
                f"the test part has a label of {self._targets}."
            )
        path = self.folder_ / RESULTS
        if self.writes and not path.is_file():
            self._write_results(path)
        _processes(self._settings).wait_for_everyone()
        return json.loads(path.read_text())

    def _write_results(self, path: Path) -> None:
        from encoders.run_results import render_report, score_answers
        from encoders.training import embeddings

        tokenizer = SignalTokenizer.from_pretrained(self.folder_ / TOKENIZER)
        encoder, classes = tokenizer.encoder, tokenizer.classes
        test = self._inputs()[self.split_.mask(self._store.table, "test")]
        rows = labelled_rows(test, classes, on_grid=True, targets=self._targets)
        table = test.table.iloc[rows].reset_index(drop=True)
        answers = encoder.predict(test, rows)
        scores = score_answers(table, answers, classes)
        report = render_report(table, answers, classes, scores)
        write_whole(self.folder_ / "classification_report.txt", report)
        embedding = embeddings(encoder.network_, encoder.normalised(test, rows))
        draw_results(self.folder_, self._title(), table, answers, scores, embedding, classes)
        content = {"targets": scores, **self._about(table, encoder)}
        parts = table.groupby("dataset", sort=False).indices
        if len(parts) > 1:
            content["by_dataset"] = {
                name: score_answers(table.iloc[own], {t: a[own] for t, a in answers.items()}, classes)
                for name, own in parts.items()
            }
        with_emotion = table["emotion"].isin(classes).to_numpy()
        known = rows[with_emotion] if with_emotion.any() else rows
        if encoder.network_.quantizers:
            content["codes"] = encoder.codebook_report(test, known)
        content["bins"] = tokenizer.bins_.report(test, known)
        write_whole(path, json.dumps(content, indent=1, allow_nan=False))

    def _about(self, table: pd.DataFrame, encoder: SignalEncoder) -> dict[str, Any]:
        history = json.loads((self.folder_ / "history.json").read_text())
        return {
            "n_segments": len(table),
            "n_subjects": int(table["subject"].nunique()),
            "classes": list(encoder.classes),
            "parameters": sum(p.numel() for p in encoder.network_.parameters()),
            "epochs": max(row["epoch"] for row in history),
            "seed": self.config.seed,
            "normalisation": self._settings.normalisation,
            "store": self._store.key,
            "split": {
                "hash": self.split_.hash, "protocol": self.split_.protocol, "fold": self.split_.fold,
                "subject_disjoint": self.split_.subject_disjoint, "leaky": self.split_.leaky,
            },
        }  # fmt: skip

    def _title(self) -> str:
        first, *others = (one.network for one in EncoderConfig(**(self._settings.encoder or {})).each())
        names = []
        for network in (self.config.network or first, *others):
            names += [network] if isinstance(network, str) else [f"{k}: {v}" for k, v in network.items()]
        mark = "LEAKY SPLIT — " if self.split_.leaky else ""
        return f"{mark}{', '.join(names)} on {Path(self.config.store).name}"


def _split(config: TrainEncoderConfig, store: SegmentStore) -> Split:
    splits = (
        load_splits(config.split) if config.split else make_splits(store.table, config.protocol, config.seed)
    )
    if config.split and len(splits) == 1 and not config.fold:
        return splits[0]
    chosen = [split for split in splits if split.fold == config.fold]
    if not chosen:
        folds = [split.fold for split in splits]
        raise ValueError(f"fold is {config.fold}; {config.split or config.protocol} has the folds {folds}.")
    return chosen[0]


def _processes(settings: SignalTokenizerConfig) -> Any:
    from encoders.training import launched_processes

    training = (settings.encoder or {}).get("training", {})
    return launched_processes(TrainingConfig(**training))


def _summary(results: Mapping[str, Any], folder: Path) -> str:
    shown = ("balanced_accuracy", "macro_f1", "f1", "ccc", "mae", "rmse")
    lines = []
    for target, scores in results["targets"].items():
        numbers = ", ".join(f"{name} {scores[name]:.3f}" for name in shown if name in scores)
        lines.append(f"test  {target}: {numbers or 'no labels'} ({scores['n']} segments)")
    return "\n".join([*lines, f"run   {folder}: results.json, figures/, signal_tokenizer/"])
