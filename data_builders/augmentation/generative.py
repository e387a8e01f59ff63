"""Generative augmentation: a conditional VAE and a conditional WGAN-GP over segments of one modality."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_builders.augmentation.generator import ABOUT, WEIGHTS, ConditionalGenerator, GenerativeConfig

if TYPE_CHECKING:
    import torch

__all__ = ["GENERATIVE", "ConditionalVAE", "ConditionalWGAN", "load_generator"]


class ConditionalVAE(ConditionalGenerator):
    """Conditional variational autoencoder with spectral observation noise; see `ConditionalGenerator`.

    References
    ----------
    Kingma, Welling (2014), Auto-Encoding Variational Bayes, ICLR; Sohn, Lee, Yan (2015), Learning
    Structured Output Representation using Deep Conditional Generative Models, NeurIPS.
    """

    name = "cvae"

    def _network(self) -> Any:
        from data_builders.augmentation.networks import VariationalNetwork

        return VariationalNetwork(self.config.n_latent, *self.shape_, self.config.width)

    def _train(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        levels: torch.Tensor,
        generator: torch.Generator,
        progress: bool,
    ) -> list[float]:
        import torch

        optimizer = torch.optim.Adam(self.network_.parameters(), self.config.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.config.steps)
        self._start_at_the_classes_own_spectra(x, y)
        losses = []
        for _ in self.bar(progress):
            rows = self.chosen(y, generator)
            loss = self.network_.loss(x[rows], y[rows], levels[rows], generator)
            _step(loss, optimizer)
            schedule.step()
            losses.append(_finite(loss, self.config))
        return losses

    def _start_at_the_classes_own_spectra(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Set the noise to all that there is, from where a mean can only take away."""
        from data_builders.augmentation.networks import periodogram

        for k in y.unique():
            self.network_.log_power.data[k] = (periodogram(x[y == k]).mean(dim=0) + 1e-6).log()

    def _draw(self, y: torch.Tensor, levels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return self.network_.sample(y, levels, generator)


class ConditionalWGAN(ConditionalGenerator):
    """Conditional Wasserstein GAN with gradient penalty; see `ConditionalGenerator`.

    References
    ----------
    Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville (2017), Improved Training of Wasserstein GANs,
    NeurIPS; Mirza, Osindero (2014), Conditional Generative Adversarial Nets, arXiv:1411.1784.
    """

    name = "wgan"

    def _network(self) -> Any:
        from data_builders.augmentation.networks import Decoder

        return Decoder(self.config.n_latent, *self.shape_, self.config.width)

    def _train(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        levels: torch.Tensor,
        generator: torch.Generator,
        progress: bool,
    ) -> list[float]:
        import torch

        from data_builders.augmentation.networks import Critic

        critic = Critic(*self.shape_, self.config.width)
        options: dict[str, Any] = {"lr": self.config.learning_rate / 2, "betas": (0.0, 0.9)}
        writes = torch.optim.Adam(self.network_.parameters(), **options)
        judges = torch.optim.Adam(critic.parameters(), **options)
        distances = []
        for _ in self.bar(progress):
            for _ in range(self.config.n_critic):
                rows = self.chosen(y, generator)
                real, known = x[rows], (y[rows], levels[rows])
                made = self._draw(*known, generator).detach()
                distance = critic(real, *known).mean() - critic(made, *known).mean()
                slopes = _gradient_penalty(critic, real, made, known, generator)
                _step(self.config.penalty * slopes - distance, judges)
            rows = self.chosen(y, generator)
            known = y[rows], levels[rows]
            _step(-critic(self._draw(*known, generator), *known).mean(), writes)
            distances.append(_finite(distance, self.config))
        return distances

    def _draw(self, y: torch.Tensor, levels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        import torch

        latent = torch.randn(len(y), self.config.n_latent, generator=generator)
        return self.network_(latent, y, levels)


def _gradient_penalty(
    critic: Any, real: torch.Tensor, made: torch.Tensor, known: tuple, generator: torch.Generator
) -> torch.Tensor:
    """How far the critic's slopes between real and made segments are from 1, squared."""
    import torch

    share = torch.rand(len(real), 1, 1, generator=generator)
    between = (share * real + (1 - share) * made).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between, *known).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def _step(loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _finite(loss: torch.Tensor, config: GenerativeConfig) -> float:
    if not loss.isfinite():
        raise FloatingPointError(
            f"the loss is {loss.item()}; lower learning_rate ({config.learning_rate}), and check the signals "
            "for huge values."
        )
    return loss.item()


GENERATIVE: dict[str, type[ConditionalGenerator]] = {"cvae": ConditionalVAE, "wgan": ConditionalWGAN}


def load_generator(folder: str | Path) -> ConditionalGenerator:
    """Read a model of either kind that its `save` wrote.

    Raises
    ------
    FileNotFoundError
        If the folder holds no such model.
    """
    folder = Path(folder)
    if not (folder / ABOUT).is_file() or not (folder / WEIGHTS).is_file():
        raise FileNotFoundError(f"{folder}: expected {ABOUT} and {WEIGHTS}, as a generator's save writes.")
    about = json.loads((folder / ABOUT).read_text())
    return GENERATIVE[about["kind"]].restore(folder, about)
