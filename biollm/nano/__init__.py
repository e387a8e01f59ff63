"""The embedded nano base model: weights, tokenizer and model card in this folder."""

from __future__ import annotations

from pathlib import Path

__all__ = ["NANO_PATH"]

NANO_PATH = Path(__file__).parent
