"""geoprobe."""
