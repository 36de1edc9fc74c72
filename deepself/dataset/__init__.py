"""Recordings: the manifest, the files it names, and how they are split."""
