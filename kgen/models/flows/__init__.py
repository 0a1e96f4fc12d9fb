"""Flows: bijections between images and normal noise."""
