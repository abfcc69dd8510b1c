from .folder import StudyFolder as StudyFolder
from .gathering import Gathered as Gathered, Section as Section, View as View, gather as gather
from .material import Material as Material, load_material as load_material
from .plan import (
    ANALYSES as ANALYSES,
    Plan as Plan,
    plan_from_table as plan_from_table,
    read_plan as read_plan,
)
from .running import Outcome as Outcome, run_study as run_study
from .status import StudyStatus as StudyStatus, study_status as study_status
from .tables import Tables as Tables, write_tables as write_tables
from .verify import verify_study as verify_study
