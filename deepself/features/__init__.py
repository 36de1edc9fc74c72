"""Features: recordings, prepared and transformed once, kept for every model and study."""
