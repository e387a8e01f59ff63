"""Splits: which segments train, choose and test, by protocols that say what no two parts share."""

from data_builders.splits.between_subjects import LeaveOneSubjectOut, SubjectHoldout, SubjectKFold
from data_builders.splits.inner import inner_split
from data_builders.splits.overlap import overlapping
from data_builders.splits.protocols import (
    PROTOCOLS,
    find_splitter,
    group_kfold,
    make_splits,
    subject_holdout,
)
from data_builders.splits.split import PARTS, UNITS, Split, load_splits
from data_builders.splits.splitter import Splitter
from data_builders.splits.within_subjects import (
    BlockKFold,
    LeaveOneSessionOut,
    ShuffledKFold,
    StimulusKFold,
    TrialKFold,
)

__all__ = [
    "PARTS",
    "PROTOCOLS",
    "UNITS",
    "BlockKFold",
    "LeaveOneSessionOut",
    "LeaveOneSubjectOut",
    "ShuffledKFold",
    "Split",
    "Splitter",
    "StimulusKFold",
    "SubjectHoldout",
    "SubjectKFold",
    "TrialKFold",
    "find_splitter",
    "group_kfold",
    "inner_split",
    "load_splits",
    "make_splits",
    "overlapping",
    "subject_holdout",
]
