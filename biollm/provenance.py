"""What an LLM's results come from: code, wordings and libraries, for keys of what is kept."""

from __future__ import annotations

from collections.abc import Iterable

from data_builders.provenance import code_hash, code_outside
from data_builders.stage import content_hash, folder_hash
from encoders.outside import encoders_outside
from prompts import LANGUAGES, TASKS, language_folder

__all__ = ["LIBRARIES", "source_hash"]

PACKAGES = ("prompts", "data_builders", "encoders", "biollm")
LIBRARIES = (
    "numpy", "scipy", "neurokit2", "scikit-learn", "torch", "transformers", "trl", "peft", "bitsandbytes"
)  # fmt: skip
"""Those that an LLM's results, and those of what stands beside it, depend on."""


def source_hash(languages: Iterable[str] = ()) -> str:
    """Hash of all code and wordings that make an LLM's results: the package's, and what was added to it.

    Parameters
    ----------
    languages : iterable of str
        Further ones that are written in: folders of wordings, see `prompts.load_task`.
    """
    wordings = [folder_hash(language_folder(name)) for name in (*LANGUAGES, *languages)]
    return content_hash([code_hash(*PACKAGES), encoders_outside(), code_outside(TASKS.values()), *wordings])
