from .beside import (
    BesideControl as BesideControl,
    BesideRow as BesideRow,
    Claim as Claim,
    beside_row as beside_row,
    claims as claims,
)
from .by_size import (
    SimilarityBySize as SimilarityBySize,
    SizeRow as SizeRow,
    similarity_by_size as similarity_by_size,
)
from .ceiling import (
    NoiseCeiling as NoiseCeiling,
    joint_ceiling as joint_ceiling,
    noise_ceiling as noise_ceiling,
    split_halves as split_halves,
)
from .correlation import (
    Agreement as Agreement,
    Layout as Layout,
    correlate_by_size as correlate_by_size,
    correlate_layouts as correlate_layouts,
)
from .description_length import (
    DescriptionLength as DescriptionLength,
    online_code as online_code,
)
from .groups import (
    GroupSplit as GroupSplit,
    bootstrap_interval as bootstrap_interval,
    bootstrap_rows as bootstrap_rows,
    split_groups as split_groups,
)
from .leakage import Leakage as Leakage, find_leakage as find_leakage
from .leaving_out import measure_units as measure_units
from .left_out import (
    LeftOutUnits as LeftOutUnits,
    load_units as load_units,
    save_units as save_units,
)
from .live import LiveControls as LiveControls
from .margins import Margins as Margins, compare_margins as compare_margins
from .movement import ShuffledMovement as ShuffledMovement, shuffle_movement as shuffle_movement
from .null import NullTest as NullTest, permutation_test as permutation_test
from .permutations import permuted_rows as permuted_rows
from .pseudo_tests import PseudoTest as PseudoTest, draw_pseudo_tests as draw_pseudo_tests
from .sampling import SamplingDrift as SamplingDrift, pseudo_test_drift as pseudo_test_drift
from .selectivity import (
    ControlTask as ControlTask,
    Selectivity as Selectivity,
    control_tasks as control_tasks,
    measure_selectivity as measure_selectivity,
)
from .unit_memorisation import (
    UnitMemorisation as UnitMemorisation,
    compare_units as compare_units,
)
from .shuffled import (
    ShuffledLabels as ShuffledLabels,
    came_apart as came_apart,
    load_shuffled as load_shuffled,
    pulled_closer as pulled_closer,
    pushed_apart as pushed_apart,
    save_shuffled as save_shuffled,
    shuffle_labels as shuffle_labels,
    shuffled_similarity as shuffled_similarity,
)
