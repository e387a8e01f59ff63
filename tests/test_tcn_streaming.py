"""Streaming TCN: chunk by chunk equals the whole, and nothing depends on what comes later."""

from __future__ import annotations

import pytest
import torch

from encoders.networks import TCN, TCNStream


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def fitted(n_channels: int = 3, stride: int = 16, **options) -> TCN:
    """A TCN whose norms have seen data, so that they are no identity."""
    tcn = TCN(n_channels, stride, dim=8, **options)
    tcn(3 * torch.randn(8, n_channels, 20 * stride) + 1)
    return tcn.eval()


def chunks_of(x: torch.Tensor, sizes) -> list[torch.Tensor]:
    edges = torch.tensor([0, *sizes]).cumsum(0).tolist()
    return [x[:, :, a:b] for a, b in zip(edges, [*edges[1:], x.shape[2]], strict=True)]


@pytest.mark.parametrize("stride", [1, 7, 16, 50])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("largest", [1, 5, 60, 400])
def test_any_chunks_equal_the_whole(stride, steps, largest):
    tcn = fitted(stride=stride, steps=steps)
    x = torch.randn(2, 3, 403)
    sizes = []
    while sum(sizes) < 380:
        sizes.append(int(torch.randint(0 if largest > 1 else 1, min(largest, 403 - sum(sizes)) + 1, ())))
    stream = TCNStream(tcn)
    frames = torch.cat([stream(chunk) for chunk in chunks_of(x, sizes)], dim=1)
    # float32 sums over a few dozen values of order one.
    torch.testing.assert_close(frames, tcn(x), atol=1e-5, rtol=0)


def test_frames_come_as_soon_as_they_are_complete():
    stream = TCNStream(fitted(stride=16))
    n_frames = [stream(torch.randn(1, 3, n)).shape[1] for n in (15, 1, 40, 0, 7, 1)]
    assert n_frames == [0, 1, 2, 0, 0, 1]


def test_memory_does_not_grow_with_the_signal():
    stream = TCNStream(fitted(stride=16))

    def kept() -> int:
        return stream._samples.numel() + sum(steps.numel() for steps in stream._steps)

    sizes = []
    for _ in range(20):
        stream(torch.randn(1, 3, 100))
        sizes.append(kept())
    # Only the samples of an incomplete frame come and go.
    assert max(sizes) - min(sizes) < 16 * 3


def test_reset_begins_anew():
    tcn = fitted()
    stream = TCNStream(tcn)
    stream(torch.randn(2, 3, 90))
    stream.reset()
    x = torch.randn(5, 3, 64)
    torch.testing.assert_close(stream(x), tcn(x), atol=1e-5, rtol=0)


def test_other_chunks_and_training_mode_are_refused():
    stream = TCNStream(fitted())
    with pytest.raises(ValueError, match=r"\(1, 2, 30\).*\(batch, 3, n_samples\)"):
        stream(torch.zeros(1, 2, 30))
    stream(torch.zeros(2, 3, 30))
    with pytest.raises(ValueError, match=r"\(1, 3, 30\).*\(2, 3, n_samples\).*reset"):
        stream(torch.zeros(1, 3, 30))
    with pytest.raises(ValueError, match="eval"):
        TCNStream(TCN(3, 16))


@pytest.mark.parametrize("depth", [1, 4])
def test_no_frame_has_a_gradient_from_later_samples(depth):
    tcn = fitted(stride=16, depth=depth)
    x = torch.randn(1, 3, 160, requires_grad=True)
    for frame in range(10):
        (gradient,) = torch.autograd.grad(tcn(x)[0, frame].sum(), x)
        end = (frame + 1) * 16
        assert not gradient[:, :, end:].any()
        assert gradient[:, :, end - 16 : end].any()


def test_no_frame_changes_when_later_samples_do():
    tcn = fitted(stride=16)
    x = torch.randn(1, 3, 160)
    whole = tcn(x)
    for frame in range(9):
        later = x.clone()
        later[:, :, (frame + 1) * 16 :] = torch.nan
        # NaN spreads to all that reads it; equality is exact, for the past is summed in the same order.
        assert torch.equal(tcn(later)[:, : frame + 1], whole[:, : frame + 1])
