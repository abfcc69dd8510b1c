"""Tests of the whole house, in folders that mirror its rooms."""
