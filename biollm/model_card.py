"""The page of an artefact: what it reads, what it was taught, and how it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_builders.store import JOINED

if TYPE_CHECKING:
    from biollm.artefact import ArtefactCard

__all__ = ["model_card"]

TRAINED_ROWS = """the base gets rows for the new tokens first, which
`PeftModel.from_pretrained` alone does not see to"""
MERGED = """from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("DIR")
model = AutoPeftModelForCausalLM.from_pretrained("DIR")
model.merge_and_unload().save_pretrained("MERGED")  # one model, for servers that know no adapters
tokenizer.save_pretrained("MERGED")"""
MERGED_BY_BIOLLM = """from biollm.artefact import load_artefact

artefact = load_artefact("DIR")
artefact.model.merge_and_unload().save_pretrained("MERGED")  # one model, for servers that know no adapters
artefact.tokenizer.save_pretrained("MERGED")"""


def model_card(card: ArtefactCard, trained_rows: bool) -> str:
    """Markdown with the header that the hub reads.

    Parameters
    ----------
    card : ArtefactCard
    trained_rows : bool
        Whether the rows of its tokens were trained; where not, the adapter lacks them, and only biollm makes
        them again.
    """
    store = card.store
    asked = "emotion" in card.tasks and JOINED not in store
    asking = "Ask it: `biollm chat --artefact DIR --recording FILE`.\n\n" if asked else ""
    place = "; for `nano`, write what `biollm.nano.NANO_PATH` is into `adapter_config.json` first"
    nano = place if card.model_name_or_path == "nano" else ""
    without = f"Without biollm, `DIR` being this folder ({TRAINED_ROWS}){nano}"
    if not trained_rows:
        without = "As one model that needs no biollm, `DIR` being this folder"
    return f"""---
library_name: peft
base_model: {card.model_name_or_path}
tags: [biosignals, biollm]
---
# A biollm artefact

LoRA adapter that reads {", ".join(store["modalities"])} of the data set `{store["dataset"]}` as signal
tokens ({", ".join(card.sources)}).

- Taught: {_taught(card)}.
- Window: {store["window_seconds"]:g} s. Normalisation and codebooks are in `signal_tokenizer/`.
- Split: {card.split_protocol}, hash `{card.split_hash}`; its test part was not seen.
- Base: `{card.model_name_or_path}`{", nf4" if card.load_in_4bit else ""}, fingerprint
  `{card.base_fingerprint}`.

{asking}{without}:

```python
{MERGED if trained_rows else MERGED_BY_BIOLLM}
```

Not a medical device: it knows the people, sensors and situations of its training data, and no others.
"""


def _taught(card: ArtefactCard) -> str:
    """The tasks, with what their answers name."""
    named = {"emotion": ", ".join(card.classes), "affect": " and ".join(card.ratings.get("scales", {}))}
    return "; ".join(f"{task} ({named[task]})" if named.get(task) else task for task in card.tasks)
