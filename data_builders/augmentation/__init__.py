"""More training segments: changed, mixed and generated copies, and the check of what was generated."""
