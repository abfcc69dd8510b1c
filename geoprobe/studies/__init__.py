"""A study: a plan of many cells, run, resumed after any interruption, and gathered into tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
