"""Signals to features, codes and tokens."""

from encoders.encoder_config import EncoderConfig
from encoders.inputs import SignalInputs, signal_inputs
from encoders.signal_encoder import SignalEncoder
from encoders.signal_tokenizer import SignalTokenizer, SignalTokenizerConfig
from encoders.trainer import TrainEncoderConfig, Trainer
from encoders.training_config import TrainingConfig

__all__ = [
    "EncoderConfig",
    "SignalEncoder",
    "SignalInputs",
    "SignalTokenizer",
    "SignalTokenizerConfig",
    "TrainEncoderConfig",
    "Trainer",
    "TrainingConfig",
    "signal_inputs",
]
