"""Tests of pictures of arrays."""
