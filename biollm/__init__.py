"""biollm: fine-tune LLMs to read biosignals."""

__version__ = "0.1.0"
