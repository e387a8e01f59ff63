"""biollm: fine-tune LLMs to read biosignals."""

import logging
import warnings

__version__ = "0.1.0"

# Both come from between the libraries, and there is nothing for the user to do about them.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
