from .analysis_texts import Text as Text
from .export import Export as Export, export_study as export_study
from .study_folder import StudyFolder as StudyFolder
from .plan import (
    ANALYSES as ANALYSES,
    Plan as Plan,
    demo_plan as demo_plan,
    plan_from_table as plan_from_table,
    read_plan as read_plan,
)
from .running import Outcome as Outcome, run_study as run_study
from .status import StudyStatus as StudyStatus, estimate as estimate, study_status as study_status
from .study_data import StudyData as StudyData, load_study_data as load_study_data
from .study_findings import (
    Section as Section,
    StudyFindings as StudyFindings,
    compute_findings as compute_findings,
)
from .study_tables import Tables as Tables, write_tables as write_tables
from .tracked_runs import Logged as Logged, log_study as log_study
from .verify import verify_study as verify_study
from .views import Analysis as Analysis, View as View
