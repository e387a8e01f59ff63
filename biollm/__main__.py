"""``python -m biollm``: the ``biollm`` command."""

from biollm.cli import main

if __name__ == "__main__":
    main()
