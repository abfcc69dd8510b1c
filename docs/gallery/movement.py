"""Movement: how far each label's centroid moved, by layer; the line is the median."""

from imaginary import fine_tuned

from geoprobe.findings import arrange_runs, measure_movement

measure_movement(arrange_runs(fine_tuned(steps=[100]))).plot()
