from .controls import (
    NullTest as NullTest,
    correlate_layouts as correlate_layouts,
    find_leakage as find_leakage,
    measure_selectivity as measure_selectivity,
    noise_ceiling as noise_ceiling,
    online_code as online_code,
    permutation_test as permutation_test,
    pseudo_test_drift as pseudo_test_drift,
    shuffle_labels as shuffle_labels,
)
from .geometry import read_results as read_results, write_results as write_results
from .hulls import (
    HullResult as HullResult,
    PairwiseDistances as PairwiseDistances,
    Status as Status,
    hull_distance as hull_distance,
    hulls_overlap as hulls_overlap,
    pairwise_hull_distances as pairwise_hull_distances,
    point_to_hull as point_to_hull,
)
from .probes import DirectProbe as DirectProbe
from .spaces import (
    PointsFile as PointsFile,
    Space as Space,
    open_points as open_points,
    read_space as read_space,
)
from .verify import verify_results as verify_results

__version__: str
