"""Findings: what the measured geometry of spaces says about a representation and its tuning."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
