from .linearity import InBetween as InBetween, standing_between as standing_between
from .intervals import (
    accuracy_change_interval as accuracy_change_interval,
    accuracy_interval as accuracy_interval,
    movement_intervals as movement_intervals,
)
from .blockers import Blockers as Blockers, follow_blockers as follow_blockers
from .centroid_paths import (
    CentroidPaths as CentroidPaths,
    closest_labels as closest_labels,
    follow_centroids as follow_centroids,
)
from .cross_task import CrossTask as CrossTask, compare_tasks as compare_tasks
from .differences import Differences as Differences, difference_vectors as difference_vectors
from .finding import Finding as Finding
from .intervals import Interval as Interval
from .label_pairs import (
    LabelDistances as LabelDistances,
    LabelMatch as LabelMatch,
    label_distances as label_distances,
    match_labels as match_labels,
)
from .linearity import Linearity as Linearity, compare_linearity as compare_linearity
from .memorisation import (
    Memorisation as Memorisation,
    compare_memorisation as compare_memorisation,
    subtrain_curves as subtrain_curves,
    subtrain_split as subtrain_split,
)
from .min_distances import MinDistances as MinDistances, minimum_distances as minimum_distances
from .movement import Movement as Movement, measure_movement as measure_movement
from .networks import Network as Network
from .performance import Performance as Performance, compare_performance as compare_performance
from .resampling import (
    ResampledDistances as ResampledDistances,
    load_resamples as load_resamples,
    resample_distances as resample_distances,
    save_resamples as save_resamples,
    similarity_interval as similarity_interval,
)
from .finding import over_seeds as over_seeds
from .similarity import (
    Similarity as Similarity,
    SimilarityDuringTuning as SimilarityDuringTuning,
    kept_similarity as kept_similarity,
    similarity_to_original as similarity_to_original,
    spatial_similarity as spatial_similarity,
)
from .trajectories import Trajectory as Trajectory, arrange_runs as arrange_runs
