"""Tests of the structure and the documents."""
