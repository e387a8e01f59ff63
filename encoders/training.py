"""Training of `SignalModel`: one loop for all networks and targets, and what the model says afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from encoders.checkpoints import load_checkpoint, save_checkpoint, training_key
from encoders.losses import balanced_shares, validation_scores
from encoders.memory import kept_memory
from encoders.model import ModelOutput, SignalModel
from encoders.trackers import tracker_problems
from encoders.training_config import TrainingConfig
from encoders.training_run import TrainingRun

if TYPE_CHECKING:
    from accelerate import Accelerator, PartialState

__all__ = ["Examples", "embeddings", "encode", "fit_model", "frames", "outputs", "runs_on_cpu"]

Arrays = Mapping[str, np.ndarray]
Tensors = dict[str, torch.Tensor]


class Examples(NamedTuple):
    """Segments with their labels.

    Attributes
    ----------
    x : mapping of str to ndarray, shape (n_segments, n_channels, n_samples)
        By stream, normalised.
    y : mapping of str to ndarray, shape (n_segments,)
        By target, NaN where unknown: classes from 0 for ``emotion``, 0 or 1 for ``transition``, ratings.
    datasets : ndarray, shape (n_segments,), or None
        Where each comes from, for training that is balanced over data sets.
    """

    x: Arrays
    y: Arrays
    datasets: np.ndarray | None = None


def fit_model(
    model: SignalModel,
    train: Examples,
    validation: Examples,
    config: TrainingConfig | None = None,
    folder: Path | None = None,
    progress: bool = True,
) -> list[dict[str, float]]:
    """Train `model` in place and leave it with the weights of its best epoch, in eval mode.

    On a CPU the same seed and the same initial weights give the same result, in one go or stopped and gone
    on with; the global random state is left as it was. Under ``accelerate launch`` each process takes its
    share of every batch.

    Parameters
    ----------
    model : SignalModel
    train, validation : Examples
        Validation subjects must be others than the training subjects.
    config : TrainingConfig, optional
    folder : Path, optional
        Gets ``checkpoints/last.pt`` after each epoch, from which a stopped training goes on, and in
        ``logs`` what the trackers write.
    progress : bool
        Whether a progress bar is shown.

    Returns
    -------
    list of dict
        One an epoch: ``epoch``, ``train_loss``, of the validation segments ``loss`` and what the targets have
        of ``balanced_accuracy``, ``ccc`` and ``transition_f1``, and ``best`` (the score of the weights kept
        so far).

    Raises
    ------
    ValueError
        If arrays and labels differ in length, labels are none of the model's, no target has the monitored
        score, or `folder` holds the checkpoint of another training.
    FloatingPointError
        If the training loss or a validation score is not finite.
    """
    config = config or TrainingConfig()
    accelerator = _accelerator(config, folder, len(model.targets))
    device = accelerator.device
    model.to(device)
    x, y = _tensors_of(train, model, "training", device)
    held = _tensors_of(validation, model, "validation", device)
    # Dropout, k-means and dead codes draw from the global generator, which the caller gets back unchanged.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), kept_memory():
        torch.manual_seed(config.seed + accelerator.process_index)
        shares = balanced_shares(y, train.datasets, config.balance)
        run = TrainingRun(model, x, y, shares, config, accelerator)
        return _train(run, held, training_key(model, (x, y), held, shares, config), folder, progress)


def runs_on_cpu(config: TrainingConfig) -> bool:
    """Whether processes that train together do so on CPUs, which Accelerate must be told."""
    return config.use_cpu or not torch.accelerator.is_available()


def launched_processes(config: TrainingConfig) -> PartialState:
    """Those that train together, as Accelerate sees them; one, unless they were launched by it.

    Codebooks are kept alike in all of them only if they were made after this.
    """
    from accelerate import PartialState

    return PartialState(cpu=runs_on_cpu(config))


def _accelerator(config: TrainingConfig, folder: Path | None, n_targets: int) -> Accelerator:
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    problems = list(tracker_problems(config.report_to))
    if problems:
        raise ValueError("\n".join(problems))
    # An earlier training of this process may have had another precision, which Accelerate would refuse.
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        cpu=runs_on_cpu(config),
        log_with=config.report_to or None,
        project_dir=folder,
        # One of several heads has no gradient where a process's share of a batch lacks its label.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=n_targets > 1)],
    )
    if config.report_to:
        accelerator.init_trackers("logs")
    return accelerator


def _tensors_of(
    part: Examples, model: SignalModel, name: str, device: torch.device
) -> tuple[Tensors, Tensors]:
    """Copy one part to tensors once, checked."""
    missing = sorted(set(model.targets) - set(part.y))
    if missing:
        raise ValueError(
            f"the {name} labels lack the targets {missing}; the model's are {list(model.targets)}."
        )
    y = {target: np.asarray(part.y[target], dtype=np.float32) for target in model.targets}
    lengths = {**{s: len(a) for s, a in part.x.items()}, **{f"labels of {t}": len(a) for t, a in y.items()}}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(f"the {name} part has lengths {lengths}; allowed is one length, from 1, for all.")
    for target, values in y.items():
        _check_labels(target, values[~np.isnan(values)], model.targets[target], name)
    return _tensors(part.x, device), _tensors(y, device)


def _check_labels(target: str, known: np.ndarray, size: int, part: str) -> None:
    if not len(known):
        raise ValueError(f"the {part} part has no segment with the label {target!r}; leave the target out.")
    n_classes = {"emotion": size, "transition": 2}.get(target)
    if n_classes and not np.isin(known, np.arange(n_classes)).all():
        raise ValueError(
            f"the {part} labels of {target!r} have the values {np.unique(known)[:10]}; allowed are whole "
            f"numbers from 0 to {n_classes - 1}, and NaN."
        )


def _tensors(x: Arrays, device: torch.device) -> Tensors:
    return {name: torch.as_tensor(array, dtype=torch.float32, device=device) for name, array in x.items()}


def _train(
    run: TrainingRun, held: tuple[Tensors, Tensors], key: dict[str, Any], folder: Path | None, progress: bool
) -> list[dict[str, float]]:
    main = run.accelerator.is_main_process
    checkpoint = folder / "checkpoints" / "last.pt" if folder else None
    state = load_checkpoint(checkpoint, key, run.accelerator.device) if checkpoint else None
    if state is not None:
        run.restore(state)
    bar = tqdm(
        total=run.config.epochs * run.n_batches, initial=len(run.history) * run.n_batches,
        desc="train encoder", unit="step", disable=not (progress and main), leave=False,
    )  # fmt: skip
    shown: dict[str, str] = {}
    with bar:
        while not run.ended:
            losses = []
            for parts in run.batches():
                losses.append(run.step(parts))
                bar.set_postfix(shown | {"batch_loss": f"{losses[-1]:.3g}"}, refresh=False)
                bar.update()
            row = run.close_epoch(losses, _validate(run.model, *held, run.weights, run.config))
            shown = {name: f"{value:.3g}" for name, value in row.items()}
            bar.set_postfix(shown)
            run.accelerator.log({name: value for name, value in row.items() if name != "epoch"}, row["epoch"])
            if checkpoint and main:
                save_checkpoint(checkpoint, key, run.state())
    for tracker in run.accelerator.trackers:
        tracker.finish()
    run.model.load_state_dict(run.best_weights)
    # Under mixed precision Accelerate has wrapped `forward`: what is saved and loaded again has no such wrap.
    run.accelerator.unwrap_model(run.wrapped, keep_fp32_wrapper=False)
    run.model.eval()
    return run.history


def _validate(
    model: SignalModel, x: Tensors, y: Tensors, weights: Tensors, config: TrainingConfig
) -> dict[str, float]:
    return validation_scores(_joined(model, x), y, weights, config)


@torch.no_grad()
def _forward(model: SignalModel, x: Tensors) -> list[ModelOutput]:
    """Run the model in eval mode over segments, some at a time."""
    model.eval()
    return [model(batch) for batch in _batches(x)]


def _batches(x: Tensors, batch_size: int = 256) -> Iterator[Tensors]:
    n_segments = len(next(iter(x.values())))
    if not n_segments:
        raise ValueError("there are 0 segments to read; allowed is 1 or more.")
    for start in range(0, n_segments, batch_size):
        yield {name: array[start : start + batch_size] for name, array in x.items()}


def _joined(model: SignalModel, x: Tensors) -> Tensors:
    found = _forward(model, x)
    return {target: torch.cat([output.outputs[target] for output in found]) for target in model.targets}


def outputs(model: SignalModel, x: Arrays) -> dict[str, np.ndarray]:
    """What the heads say of normalised streams `x`.

    Returns
    -------
    dict of str to ndarray
        ``emotion``: probabilities (n_segments, n_classes); ``transition``: probability (n_segments,);
        ``valence``, ``arousal``: values (n_segments,), as the model was trained on.
    """
    found = _joined(model, _tensors(x, next(model.parameters()).device))
    read = {
        "emotion": lambda value: value.softmax(dim=1),
        "transition": lambda value: value[:, 0].sigmoid(),
    }
    values = {t: read.get(t, lambda value: value[:, 0])(value) for t, value in found.items()}
    return {target: value.cpu().numpy() for target, value in values.items()}


def embeddings(model: SignalModel, x: Arrays) -> np.ndarray:
    """Return what the heads read of normalised streams `x`: (n_segments, n)."""
    found = _forward(model, _tensors(x, next(model.parameters()).device))
    return torch.cat([output.embedding for output in found]).float().cpu().numpy()


def encode(model: SignalModel, x: Arrays) -> dict[str, np.ndarray]:
    """Return the codes of normalised streams `x`: by stream, int64 of shape (n_segments, n_codes).

    Raises
    ------
    ValueError
        If the model has no quantizers.
    """
    model.require_quantizers()
    found = _forward(model, _tensors(x, next(model.parameters()).device))
    return {name: torch.cat([o.codes[name] for o in found]).cpu().numpy() for name in model.quantizers}


@torch.no_grad()
def frames(model: SignalModel, x: Arrays) -> Tensors:
    """Return the frames of normalised streams `x` before quantization: (n_segments, n_frames, dim) each."""
    model.eval()
    found = [model.frames(batch) for batch in _batches(_tensors(x, next(model.parameters()).device))]
    return {name: torch.cat([part[name] for part in found]) for name in model.encoders}
