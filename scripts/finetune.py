"""accelerate launch scripts/finetune.py --config biollm/recipes/quickstart.yaml

Conversations -> LoRA adapter on a 4-bit base, on every process that accelerate starts.
"""

from biollm.cli import run

if __name__ == "__main__":
    run("finetune")
