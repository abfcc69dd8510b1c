"""Performance: accuracy on the test units before and after fine-tuning; bars span the seeds."""

from imaginary import fine_tuned

from geoprobe.findings import compare_performance

spaces = [*fine_tuned(layers=[4]), *fine_tuned("role", "role", layers=[4])]
compare_performance(spaces).plot()
