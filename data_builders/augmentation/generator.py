"""What conditional generative models share: their settings, checks, drawing and files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from data_builders.augmentation.levels import drawn_levels, levels_and_shapes, with_levels

if TYPE_CHECKING:
    import torch

__all__ = ["ABOUT", "WEIGHTS", "ConditionalGenerator", "GenerativeConfig"]

ABOUT, WEIGHTS = "generator.json", "generator.safetensors"
BATCH = 256
"""Segments that are drawn at once."""


@dataclass
class GenerativeConfig:
    """Size and training of a generative model."""

    n_latent: int = 16  # latent values a segment
    width: int = 32  # channels of the hidden layers; a multiple of 4
    steps: int = 1000  # steps of training (of the WGAN: of its generator)
    batch_size: int = 32  # segments a step
    learning_rate: float = 1e-3  # of Adam; the WGAN takes half of it
    n_critic: int = 5  # WGAN: steps of the critic for each of the generator
    penalty: float = 10.0  # WGAN: weight of the gradient penalty
    seed: int = 0  # of the weights and the order

    def __post_init__(self) -> None:
        positive = [name for name in asdict(self) if name not in ("seed", "penalty")]
        wrong = [f"{name} is {getattr(self, name)!r}" for name in positive if not getattr(self, name) > 0]
        wrong += [f"width is {self.width}, which is no multiple of 4"] * bool(self.width % 4)
        if wrong or self.penalty < 0:
            raise ValueError(
                f"GenerativeConfig: {'; '.join(wrong) or f'penalty is {self.penalty}'}. Allowed are above 0 "
                f"for {', '.join(positive)}, a multiple of 4 for width, and from 0 for penalty."
            )


class ConditionalGenerator:
    """What both models share: checks, channels made uncorrelated, drawing, and files.

    Parameters
    ----------
    config : GenerativeConfig, optional

    Attributes
    ----------
    network_ : nn.Module
        What draws.
    basis_ : Tensor, shape (n_channels, n_channels)
        Uncorrelated components of variance 1 -> shapes of the channels; networks know components only.
    levels_, kinds_ : Tensor, shape (n_segments, 3 * n_channels) and (n_segments,)
        Level, spread and trend of the training segments' channels, and their classes: whatever is drawn
        has those of a segment of its class, a little changed.
    shape_ : tuple of int
        n_classes, n_channels, n_samples.
    losses_ : list of float, one a step
    """

    name: ClassVar[str] = ""
    network_: Any
    basis_: torch.Tensor
    levels_: torch.Tensor
    kinds_: torch.Tensor
    shape_: tuple[int, int, int]
    losses_: list[float]

    def __init__(self, config: GenerativeConfig | None = None) -> None:
        self.config = config or GenerativeConfig()

    def fit(self, x: np.ndarray, y: np.ndarray, n_classes: int, progress: bool = True) -> Self:
        """Train on segments of the training part. The same seed gives the same model on a CPU.

        Parameters
        ----------
        x : ndarray, shape (n_segments, n_channels, n_samples)
            Of one modality; without NaN, and best on a common scale, as z-scored by subject.
        y : ndarray of int, shape (n_segments,)
            Classes from 0.
        n_classes : int
        progress : bool

        Raises
        ------
        ValueError
            If values are not finite, or a class has no segment to learn from.
        """
        import torch

        signals, kinds = _checked(x, y, n_classes)
        self.shape_ = (n_classes, signals.shape[1], signals.shape[2])
        self.levels_, shapes = levels_and_shapes(signals)
        self.kinds_ = kinds
        self.basis_ = _uncorrelated(shapes)
        parts = torch.linalg.solve(self.basis_, shapes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            self.network_ = self._network()
            generator = torch.Generator().manual_seed(self.config.seed)
            self.losses_ = self._train(parts, kinds, self._standard(), generator, progress)
        self.network_.eval()
        return self

    def sample(self, y: np.ndarray, seed: int) -> np.ndarray:
        """Draw a segment for each class of `y`, shape (len(y), n_channels, n_samples), float32."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            drawn = [self._segments(torch.as_tensor(part), generator) for part in _batches(np.asarray(y))]
        return torch.cat(drawn).numpy()

    def _standard(self) -> torch.Tensor:
        """The training segments' levels in standard deviations from their means."""
        return (self.levels_ - self.levels_.mean(dim=0)) / self._spread()

    def _spread(self) -> torch.Tensor:
        spread = self.levels_.std(dim=0, correction=0)
        return spread.where(spread > 1e-6, 1.0)

    def _segments(self, y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        levels = drawn_levels(self._standard(), self.kinds_, y, generator)
        shapes = self.basis_ @ self._draw(y, levels, generator)
        return with_levels(levels * self._spread() + self.levels_.mean(dim=0), shapes)

    def save(self, folder: str | Path) -> None:
        """Write weights as safetensors and the rest as JSON into a folder."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        state = {f"network.{name}": value for name, value in self.network_.state_dict().items()}
        own = {"basis": self.basis_, "levels": self.levels_, "kinds": self.kinds_}
        save_file(state | own, folder / WEIGHTS)
        about = {"kind": self.name, "config": asdict(self.config), "shape": self.shape_}
        (folder / ABOUT).write_text(json.dumps(about, indent=1))

    @classmethod
    def restore(cls, folder: Path, about: dict) -> Self:
        """A model from its weights in a folder and what ``generator.json`` says."""
        from safetensors.torch import load_file

        model = cls(GenerativeConfig(**about["config"]))
        model.shape_ = tuple(about["shape"])
        state = load_file(folder / WEIGHTS)
        model.basis_, model.levels_, model.kinds_ = (state.pop(n) for n in ("basis", "levels", "kinds"))
        model.network_ = model._network()
        model.network_.load_state_dict({name.removeprefix("network."): v for name, v in state.items()})
        model.network_.eval()
        return model

    def _network(self) -> Any:
        raise NotImplementedError

    def _train(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        levels: torch.Tensor,
        generator: torch.Generator,
        progress: bool,
    ) -> list[float]:
        raise NotImplementedError

    def _draw(self, y: torch.Tensor, levels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        raise NotImplementedError

    def chosen(self, y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Rows of one batch; every class that occurs is as likely."""
        import torch

        weights = 1 / torch.bincount(y)[y].double()
        return torch.multinomial(weights, self.config.batch_size, replacement=True, generator=generator)

    def bar(self, progress: bool) -> Any:
        from tqdm.auto import tqdm

        return tqdm(range(self.config.steps), desc=f"train {self.name}", unit="step", disable=not progress)


def _checked(x: np.ndarray, y: np.ndarray, n_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    problems = []
    if not np.isfinite(x).all():
        problems.append("x holds NaN or infinite values; leave such segments out")
    missing = sorted(set(range(n_classes)) - set(np.unique(y).tolist()))
    if missing or len(x) != len(y) or y.min() < 0 or y.max() >= n_classes:
        problems.append(
            f"y has {len(y)} labels for {len(x)} segments and lacks the classes {missing}; allowed is one "
            f"from 0 to {n_classes - 1} a segment, each class at least once"
        )
    if problems:
        raise ValueError(f"a generator cannot be fitted: {'; '.join(problems)}.")
    return torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y, dtype=torch.long)


def _uncorrelated(x: torch.Tensor) -> torch.Tensor:
    """Principal directions of the channels, each as long as its standard deviation."""
    import torch

    flat = x.transpose(0, 1).flatten(1).double()
    variances, directions = torch.linalg.eigh(flat @ flat.T / flat.shape[1])
    # Channels that are sums of others, as under an average reference, have directions of no variance.
    floor = 1e-6 * variances.max().clamp(min=1e-6)
    return (directions * variances.clamp(min=floor).sqrt()).float().contiguous()


def _batches(y: np.ndarray) -> list[np.ndarray]:
    return [y[start : start + BATCH].astype(np.int64) for start in range(0, len(y), BATCH)]
