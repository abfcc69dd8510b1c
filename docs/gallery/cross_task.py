"""Cross-task: mean change of the smallest distances of a task's labels, by the task tuned on."""

from imaginary import LABELS, fine_tuned

from geoprobe.findings import arrange_runs, compare_tasks

# The space as published is the same for both tunings, and is given once.
spaces = {
    space.cell: space
    for task in LABELS
    for tuned_on in LABELS
    for space in fine_tuned(task, tuned_on, layers=[4], seeds=[0], steps=[100])
}
compare_tasks(arrange_runs(spaces.values())).plot()
