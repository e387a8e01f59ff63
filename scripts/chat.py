"""python scripts/chat.py --artefact runs/quickstart/artefact --recording runs/quickstart/S03.npz

Ask a tuned model about a recording.
"""

from biollm.cli import run

if __name__ == "__main__":
    run("chat")
