"""Manifests: a table that says which files hold whose recordings, and what was felt when."""

from data_builders.manifests.formats import FORMATS, open_signals, with_companions
from data_builders.manifests.grouping import PlannedRecording, Source, Stretch
from data_builders.manifests.loading import Stream, end_tolerance, load, look_into, start_problem
from data_builders.manifests.manifest import Manifest, read_manifest
from data_builders.manifests.options import ManifestOptions
from data_builders.manifests.table import one_line_each
from data_builders.manifests.units import MODALITY_UNITS, UNITS, convert

__all__ = [
    "FORMATS",
    "MODALITY_UNITS",
    "UNITS",
    "Manifest",
    "ManifestOptions",
    "PlannedRecording",
    "Source",
    "Stream",
    "Stretch",
    "convert",
    "end_tolerance",
    "load",
    "look_into",
    "one_line_each",
    "open_signals",
    "read_manifest",
    "start_problem",
    "with_companions",
]
