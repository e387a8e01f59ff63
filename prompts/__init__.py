"""Prompts: text only. Tasks with their phrasings, and the emotion and state words with their meaning."""

from prompts.states import STATE_WORDS, STATES, State, load_states
from prompts.tasks import TASKS, EmotionTask, load_task

__all__ = ["STATES", "STATE_WORDS", "TASKS", "EmotionTask", "State", "load_states", "load_task"]
