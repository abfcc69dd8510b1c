"""Measurements against other programs."""
