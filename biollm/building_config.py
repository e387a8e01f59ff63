"""What ``biollm build`` can be told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from biollm.rating_scales import AFFECT
from data_builders.conversation_shards import FORMATS
from data_builders.engines import ENGINES
from data_builders.options import as_mapping, as_weights, unknown_names
from data_builders.sharegpt import Roles
from encoders.signal_tokenizer import SIGNAL_MODES
from prompts import TASKS
from prompts.words import RATINGS

__all__ = ["RUNNING", "SAYING", "BuildConfig", "measured_sources"]

RUNNING = ("jobs", "engine", "ray_address")
"""Fields that say where a stage runs, and change nothing about what it makes."""
DEFAULT_NUMBER = 2400
REFUSE = "refuse"
SAYING = tuple(name for name, task in TASKS.items() if task.says_values)
"""Tasks that say measured values."""
LEAST = {"n_conversations": 1, "answer_forms": 1, "copies": 0, "max_length": 1, "shard_size": 1, "jobs": 1}


def measured_sources(sources: Sequence[str]) -> list[str]:
    """Those that hold values as measured; all others are relative to the subject."""
    return [source for source in sources if "levels" in source.split("+")]


@dataclass
class BuildConfig:
    """Store and signal tokenizer -> ShareGPT conversations of the training and validation subjects."""

    store: str = field(default="runs/store", metadata={"help": "folder that 'biollm prepare' wrote"})
    signal_tokenizer: str = field(
        default="runs/signal_tokenizer", metadata={"help": "folder that 'biollm train-encoder' wrote"}
    )
    out: str = field(default="runs/conversations", metadata={"help": "folder to write to"})
    sources: list[str] = field(
        default_factory=list,
        metadata={
            "help": "token sources: codes, bins, levels, or some in a row as codes+bins; default: "
            "codes+bins, and codes+bins+levels where a task says what was measured"
        },
    )
    tasks: dict | str | None = field(
        default="emotion=1",
        metadata={"help": f"weights of the tasks, as emotion=1,affect=0.5: {list(TASKS)}"},
    )
    language: str = field(
        default="en",
        metadata={
            "help": "en, or a folder of words.yaml, emotion.yaml (chat asks so) and the YAML of each task"
        },
    )
    rating_points: dict | str | None = field(
        default=None,
        metadata={
            "help": "rating -> points of the scale that the task affect writes it on, one rating at a time, "
            "as 'biollm evaluate' reads them: valence=9,arousal=9; default: as they were given"
        },
    )
    answer_forms: int | None = field(
        default=None, metadata={"help": "answer forms and system prompts of a task in use; default: all"}
    )
    signal_mode: str = field(
        default="tokens", metadata={"help": "how signals are written: tokens (new rows), words or digits"}
    )
    n_conversations: int | None = field(
        default=None, metadata={"help": f"conversations to draw; default {DEFAULT_NUMBER}"}
    )
    conversations_per_segment: float | None = field(
        default=None, metadata={"help": "the same as a multiple of the segments, in its place"}
    )
    copies: int = field(default=8, metadata={"help": "augmented token copies of each training segment"})
    balanced: bool = field(default=True, metadata={"help": "equally many conversations of each class"})
    least_confidence: float = field(
        default=0.0,
        metadata={
            "help": "with the task refuse: probability of the encoder's reading under which no state is "
            "named and refusals are taught, besides the least certain twentieth"
        },
    )
    label_words: dict | str | None = field(
        default=None,
        metadata={"help": "class -> word that is written for it, where the LLM's vocabulary lacks the class"},
    )
    model_name_or_path: str = field(
        default="nano", metadata={"help": "whose tokenizer counts the tokens, and whose words are used"}
    )
    max_length: int = field(default=1024, metadata={"help": "tokens that will fit when fine-tuning"})
    file_format: str = field(default="jsonl", metadata={"help": f"one of {list(FORMATS)}"})
    shard_size: int = field(default=5000, metadata={"help": "conversations a file"})
    human_role: str = field(default="user", metadata={"help": "name of the asking role in the files"})
    gpt_role: str = field(default="assistant", metadata={"help": "name of the answering role in the files"})
    seed: int = field(default=0, metadata={"help": "of the drawing of segments and phrasings"})
    jobs: int = field(default=1, metadata={"help": "processes, or Ray tasks at a time"})
    engine: str = field(default="local", metadata={"help": "local or ray"})
    ray_address: str | None = field(
        default=None, metadata={"help": "Ray cluster to run on; default: one on this machine"}
    )

    def __post_init__(self) -> None:
        self.tasks, self.label_words = as_weights(self.tasks), as_mapping(self.label_words)
        self.rating_points = as_weights(self.rating_points)
        problems = [
            *unknown_names("engine", [self.engine], ENGINES),
            *unknown_names("tasks", self.tasks, TASKS),
            *unknown_names("signal_mode", [self.signal_mode], SIGNAL_MODES),
            *unknown_names("file_format", [self.file_format], FORMATS),
            *_not_positive(self.tasks),
            *unknown_names("rating_points", self.rating_points, RATINGS),
            *_no_scale(self.rating_points, self.tasks),
            *self._out_of_range(),
            *self._wrong_roles(),
        ]
        if not 0 <= self.least_confidence <= 1:
            problems.append(f"least_confidence is {self.least_confidence}, allowed is 0 to 1")
        if self.least_confidence and REFUSE not in self.tasks:
            problems.append(f"least_confidence is given without the task {REFUSE!r}; add it to tasks")
        if not self.tasks:
            problems.append(f"tasks is empty, allowed are weights of one or more of {list(TASKS)}")
        if self.n_conversations is not None and self.conversations_per_segment is not None:
            problems.append("give one of n_conversations and conversations_per_segment, not both")
        if problems:
            raise ValueError("BuildConfig: " + "; ".join(problems) + ".")
        if self.conversations_per_segment is None and self.n_conversations is None:
            self.n_conversations = DEFAULT_NUMBER
        if not self.sources:
            self.sources = ["codes+bins+levels" if set(SAYING) & set(self.tasks) else "codes+bins"]

    def _out_of_range(self) -> list[str]:
        given = {name: getattr(self, name) for name in LEAST}
        wrong = {name: value for name, value in given.items() if value is not None and value < LEAST[name]}
        problems = [f"{name} is {value}, allowed is {LEAST[name]} or more" for name, value in wrong.items()]
        if self.conversations_per_segment is not None and not 0 < self.conversations_per_segment < math.inf:
            problems.append(
                f"conversations_per_segment is {self.conversations_per_segment}, allowed are numbers above 0"
            )
        return problems

    def _wrong_roles(self) -> list[str]:
        try:
            Roles(self.human_role, self.gpt_role)
        except ValueError as error:
            return [str(error).removesuffix(".")]
        return []

    @property
    def roles(self) -> Roles:
        return Roles(human=self.human_role, gpt=self.gpt_role)

    @property
    def where(self) -> tuple[int, str, str | None]:
        return self.jobs, self.engine, self.ray_address


def _no_scale(points: Mapping[str, float], tasks: Mapping[str, float]) -> list[str]:
    wrong = {name: n for name, n in points.items() if n < 2 or n != int(n)}
    problems = [f"rating_points {wrong}, allowed are whole numbers from 2"] if wrong else []
    if points and AFFECT not in tasks:
        problems.append(f"rating_points is given without the task {AFFECT!r}; add it to tasks")
    if points and REFUSE in tasks:
        problems.append(
            f"rating_points is given with the task {REFUSE!r}, which asks for ratings as they were given, so "
            "that the scale would tell a refusal; leave one of them out"
        )
    return problems


def _not_positive(weights: Mapping[str, float]) -> list[str]:
    wrong = {name: weight for name, weight in weights.items() if not 0 < weight < math.inf}
    return [f"weights {wrong} of tasks, allowed are numbers above 0"] if wrong else []
