from .alignment import Alignment as Alignment, Alignments as Alignments, align as align
from .callback import ProbeCallback as ProbeCallback
from .extract import extract_to_store as extract_to_store
from .load import Encoder as Encoder, load_encoder as load_encoder
from .model_files import (
    MissingModelError as MissingModelError,
    short_name as short_name,
    short_names as short_names,
)
from .options import Schedule as Schedule, TuningOptions as TuningOptions
from .tuning import TuningResult as TuningResult
