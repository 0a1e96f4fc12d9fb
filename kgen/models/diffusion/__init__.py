"""From noise to images, step by step."""
