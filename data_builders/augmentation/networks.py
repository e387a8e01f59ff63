"""Small one-dimensional convolution networks that write and read segments of one class."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

__all__ = ["Critic", "Decoder", "VariationalNetwork", "band_weights"]

STRIDE = 4
KERNEL = 9
N_FIRST = 8
"""Samples that a segment has at the narrow end, about."""
N_BANDS = 8
EMBEDDING = 8
N_LEVELS = 3
"""Level, spread and trend of a channel."""


def _depth(n_samples: int) -> int:
    return max(1, round(math.log(n_samples / N_FIRST, STRIDE)))


def _silu_norm(width: int) -> nn.Module:
    return nn.Sequential(nn.GroupNorm(4, width), nn.SiLU())


class Condition(nn.Module):
    """Class and levels of segments as one vector; levels are standardised."""

    def __init__(self, n_classes: int, n_levels: int, size: int = EMBEDDING) -> None:
        super().__init__()
        self.classes = nn.Embedding(n_classes, size)
        self.levels = nn.Linear(n_levels, size)

    def forward(self, y: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        return self.classes(y) + self.levels(levels)


class Decoder(nn.Module):
    """Latent values, a class and levels -> a segment, by steps of fourfold length.

    Lengths are stretched by repetition before each convolution, which makes none of the tones that
    transposed convolutions do (Odena, Dumoulin, Olah 2016, Deconvolution and Checkerboard Artifacts).
    """

    def __init__(self, n_latent: int, n_classes: int, n_channels: int, n_samples: int, width: int) -> None:
        super().__init__()
        depth = _depth(n_samples)
        self.n_samples, self.width = n_samples, width
        self.first = math.ceil(n_samples / STRIDE**depth)
        self.condition = Condition(n_classes, N_LEVELS * n_channels)
        self.spread = nn.Linear(n_latent + EMBEDDING, width * self.first)
        self.steps = nn.ModuleList(
            nn.Sequential(_silu_norm(width), nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2))
            for _ in range(depth)
        )
        self.last = nn.Sequential(
            _silu_norm(width), nn.Conv1d(width, n_channels, KERNEL, padding=KERNEL // 2)
        )

    def forward(self, latent: torch.Tensor, y: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """Write segments, shape (batch, n_channels, n_samples)."""
        h = self.spread(torch.cat([latent, self.condition(y, levels)], dim=1)).reshape(
            -1, self.width, self.first
        )
        for step in self.steps:
            h = step(functional.interpolate(h, scale_factor=STRIDE))
        return self.last(h)[..., : self.n_samples]


class _Trunk(nn.Module):
    """A segment -> values, by steps of a fourth of the length; the inverse of `Decoder`."""

    def __init__(self, n_channels: int, n_samples: int, width: int) -> None:
        super().__init__()
        depth = _depth(n_samples)
        self.padding = STRIDE**depth * math.ceil(n_samples / STRIDE**depth) - n_samples
        sizes = [n_channels] + [width] * depth
        self.steps = nn.ModuleList(
            nn.Conv1d(before, after, KERNEL, stride=STRIDE, padding=KERNEL // 2)
            for before, after in pairwise(sizes)
        )
        self.size = width * ((n_samples + self.padding) // STRIDE**depth)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = functional.pad(x, (0, self.padding))
        for step in self.steps:
            h = functional.leaky_relu(step(h), 0.2)
        return h.flatten(1)


class Critic(nn.Module):
    """A segment, its class and levels -> how real it is; no normalisation over the batch, as WGAN-GP needs.

    What is known weighs what is seen, as in Miyato, Koyama (2018), cGANs with Projection Discriminator, ICLR.
    """

    def __init__(self, n_classes: int, n_channels: int, n_samples: int, width: int) -> None:
        super().__init__()
        self.trunk = _Trunk(n_channels, n_samples, width)
        self.hidden = nn.Sequential(nn.Linear(self.trunk.size, 2 * width), nn.LeakyReLU(0.2))
        self.condition = Condition(n_classes, N_LEVELS * n_channels, 2 * width)
        self.head = nn.Linear(2 * width, 1)

    def forward(self, x: torch.Tensor, y: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """Judge segments, shape (batch,)."""
        h = self.hidden(self.trunk(x))
        return self.head(h)[:, 0] + (h * self.condition(y, levels)).sum(dim=1)


def band_weights(n_samples: int, n_bands: int = N_BANDS) -> torch.Tensor:
    """Overlapping triangles over the logarithm of the frequency, shape (n_bands, n_samples // 2 + 1).

    They sum to 1 at every frequency; the mean belongs to the lowest band.
    """
    place = torch.arange(1, n_samples // 2 + 2).clamp(min=2).sub(1).log()
    place = place / place.max().clamp(min=1e-6) * (n_bands - 1)
    return (1 - (place - torch.arange(n_bands)[:, None]).abs()).clamp(min=0)


class VariationalNetwork(nn.Module):
    """Encoder and decoder of a conditional VAE whose observation noise has a spectrum.

    A plain VAE writes the mean of all segments that a latent may stand for, which of EEG or EMG is next
    to nothing. Here what the mean does not tell is stationary Gaussian noise, whose power spectrum is
    learned by class and channel, and by latent in `N_BANDS` broad bands.
    """

    def __init__(self, n_latent: int, n_classes: int, n_channels: int, n_samples: int, width: int) -> None:
        super().__init__()
        self.n_latent = n_latent
        self.bands: torch.Tensor
        self.decoder = Decoder(n_latent, n_classes, n_channels, n_samples, width)
        self.trunk = _Trunk(n_channels, n_samples, width)
        self.condition = Condition(n_classes, N_LEVELS * n_channels)
        n_powers = n_channels * N_BANDS
        self.posterior = nn.Sequential(
            nn.Linear(self.trunk.size + n_powers + EMBEDDING, 2 * width),
            nn.SiLU(),
            nn.Linear(2 * width, 2 * n_latent),
        )
        self.powers = nn.Sequential(
            nn.Linear(n_latent + EMBEDDING, 2 * width), nn.SiLU(), nn.Linear(2 * width, n_powers)
        )
        self.log_power = nn.Parameter(torch.zeros(n_classes, n_channels, n_samples // 2 + 1))
        self.register_buffer("bands", band_weights(n_samples), persistent=False)

    def encode(self, x: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log variance of the latents, shape (batch, n_latent) each; `known` is the condition."""
        # Of a few samples there are bands without a component.
        power = periodogram(x) @ (self.bands / self.bands.sum(dim=1, keepdim=True).clamp(min=1e-6)).T
        parts = [self.trunk(x), (power + 1e-6).log().flatten(1), known]
        mean, log_variance = self.posterior(torch.cat(parts, dim=1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 5)

    def noise_power(self, latent: torch.Tensor, y: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Log power of the noise by frequency, shape (batch, n_channels, n_samples // 2 + 1)."""
        bands = self.powers(torch.cat([latent, known], dim=1))
        shape = (len(y), self.log_power.shape[1], N_BANDS)
        return self.log_power[y] + bands.reshape(shape) @ self.bands

    def loss(
        self, x: torch.Tensor, y: torch.Tensor, levels: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Negative evidence lower bound a sample; the likelihood is Whittle's (1953)."""
        known = self.condition(y, levels)
        mean, log_variance = self.encode(x, known)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        latent = mean + noise * (log_variance / 2).exp()
        log_power = self.noise_power(latent, y, known)
        misfit = periodogram(x - self.decoder(latent, y, levels)) * (-log_power).exp() + log_power
        # The mean and, of an even length, the last component are real: half a complex one.
        whole = misfit.sum(dim=2) - misfit[..., 0] / 2
        if x.shape[2] % 2 == 0:
            whole = whole - misfit[..., -1] / 2
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
        return (whole.sum(dim=1) + divergence).mean() / x[0].numel()

    def sample(self, y: torch.Tensor, levels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw segments of classes `y`, shape (batch, n_channels, n_samples)."""
        latent = torch.randn(len(y), self.n_latent, generator=generator, device=y.device)
        mean = self.decoder(latent, y, levels)
        white = torch.randn(mean.shape, generator=generator, device=y.device)
        coloured = torch.fft.rfft(white) * (self.noise_power(latent, y, self.condition(y, levels)) / 2).exp()
        return mean + torch.fft.irfft(coloured, n=mean.shape[2])


def periodogram(x: torch.Tensor) -> torch.Tensor:
    """Power by frequency, 1 everywhere for white noise of variance 1."""
    return torch.fft.rfft(x, norm="ortho").abs().square()
