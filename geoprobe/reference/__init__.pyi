from .run import ReferenceRun as ReferenceRun, run_config as run_config
