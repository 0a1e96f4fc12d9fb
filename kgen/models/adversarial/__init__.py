"""Generators trained by a network that judges their images."""
