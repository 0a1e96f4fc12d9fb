"""Images pixel by pixel, each given all before it."""
