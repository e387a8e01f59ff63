"""Simulated emotional physiology with a known ceiling: parameters, sessions, waveforms."""

from __future__ import annotations

from data_builders.simulation.feature_table import draw_feature_table
from data_builders.simulation.montages import electrode_positions
from data_builders.simulation.physiology import CIRCUMPLEX, EFFECTS, MONTAGE, MUSCLES, PARAMETERS, Parameter
from data_builders.simulation.session import Session, SimulationOptions, draw_session, label_posterior
from data_builders.simulation.waveforms import WAVEFORMS

__all__ = [
    "CIRCUMPLEX",
    "EFFECTS",
    "MONTAGE",
    "MUSCLES",
    "PARAMETERS",
    "WAVEFORMS",
    "Parameter",
    "Session",
    "SimulationOptions",
    "draw_feature_table",
    "draw_session",
    "electrode_positions",
    "label_posterior",
]
