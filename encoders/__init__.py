"""Signals to features, codes and tokens."""

from encoders.inputs import SignalInputs, signal_inputs
from encoders.signal_encoder import EncoderConfig, SignalEncoder
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig

__all__ = [
    "EncoderConfig",
    "SignalEncoder",
    "SignalInputs",
    "SignalTokenizer",
    "SignalTokenizerConfig",
    "signal_inputs",
]
