"""Code that is not this project's own and that encoders run: part of the keys of what is kept."""

from __future__ import annotations

from data_builders.provenance import code_outside

__all__ = ["encoders_outside"]


def encoders_outside() -> str:
    """Hash of the networks, quantizers and features that are not this project's own; "" without."""
    from encoders.features.table import FEATURES, FULL
    from encoders.networks import ENCODERS
    from encoders.quantizers import QUANTIZERS

    return code_outside(made for table in (ENCODERS, QUANTIZERS, FEATURES, FULL) for made in table.values())
