"""Images through a bottleneck."""
