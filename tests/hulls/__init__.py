"""Tests of the hulls."""
