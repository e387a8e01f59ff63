"""More training segments: changed, mixed and generated copies, and the check of what was generated."""

from data_builders.augmentation.augmenting import AugmentConfig, augment_store
from data_builders.augmentation.basic import BASIC
from data_builders.augmentation.copies import AugmentationConfig, augment, suitable
from data_builders.augmentation.generative import GENERATIVE, ConditionalVAE, ConditionalWGAN, load_generator
from data_builders.augmentation.generator import GenerativeConfig
from data_builders.augmentation.intermediate import INTERMEDIATE
from data_builders.augmentation.synthesis import Synthesis
from data_builders.augmentation.validation import CHECKS, AugmentationReport, validate

__all__ = [
    "BASIC",
    "CHECKS",
    "GENERATIVE",
    "INTERMEDIATE",
    "AugmentConfig",
    "AugmentationConfig",
    "AugmentationReport",
    "ConditionalVAE",
    "ConditionalWGAN",
    "GenerativeConfig",
    "Synthesis",
    "augment",
    "augment_store",
    "load_generator",
    "suitable",
    "validate",
]
