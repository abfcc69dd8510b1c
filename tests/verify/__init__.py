"""Tests of the verify."""
