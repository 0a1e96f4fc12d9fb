"""One paper a file: who updates what, in which order."""
