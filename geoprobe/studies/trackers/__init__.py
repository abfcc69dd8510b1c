"""Experiment trackers, a file for each library."""
