"""Prompts: text only. What is known of a segment, tasks that talk about it, and the state words' meaning."""

from prompts.facts import FAULTS, LEVELS, Clue, Facts, Fault, Quantity
from prompts.states import STATE_WORDS, STATES, State, load_states
from prompts.tasks import LANGUAGES, TASKS, EmotionTask, Task, language_folder, load_task, task_from_fields

__all__ = [
    "FAULTS",
    "LANGUAGES",
    "LEVELS",
    "STATES",
    "STATE_WORDS",
    "TASKS",
    "Clue",
    "EmotionTask",
    "Facts",
    "Fault",
    "Quantity",
    "State",
    "Task",
    "language_folder",
    "load_states",
    "load_task",
    "task_from_fields",
]
