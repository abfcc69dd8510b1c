"""Pictures of arrays: grids, bars and maps on axes of matplotlib; knows nothing of geometry."""
