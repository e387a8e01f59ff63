"""Cases of bad input, one module a reader or topic: what is spoiled, and what must be said (`CASES`)."""
