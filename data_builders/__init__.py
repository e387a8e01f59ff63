"""Files to recordings, segments and splits; texts of segments to conversations."""

from data_builders.leaks import LeakError, check_leaks
from data_builders.preparing import PrepareConfig, prepare
from data_builders.preprocessing import PreprocessingConfig, preprocess
from data_builders.quality import QualityConfig, data_quality
from data_builders.readers import READERS
from data_builders.recording import Block, Recording, Segment, Signal, load_recording, save_recording
from data_builders.segments import Segments, SignalSpec
from data_builders.splits import Split, group_kfold, make_splits, subject_holdout
from data_builders.store import SegmentStore

__all__ = [
    "READERS",
    "Block",
    "LeakError",
    "PrepareConfig",
    "PreprocessingConfig",
    "QualityConfig",
    "Recording",
    "Segment",
    "SegmentStore",
    "Segments",
    "Signal",
    "SignalSpec",
    "Split",
    "check_leaks",
    "data_quality",
    "group_kfold",
    "load_recording",
    "make_splits",
    "prepare",
    "preprocess",
    "save_recording",
    "subject_holdout",
]
