"""The part of a plan that says which controls stand beside its findings."""

from __future__ import annotations

from typing import Literal

from geoprobe.schema import Flag, Record, Whole


class ControlsPlan(Record):
    """How often what is found is measured again where there is nothing to find; 0 leaves it out.

    Attributes
    ----------
    permutations : int
        Of the labels; each costs what measuring the space costs.
    clusters_up_to : int
        Units. Clusters of shuffled labels are counted in spaces that have no more; in larger ones,
        where that takes hours, the pairs of labels that overlap stand in their place.
    pseudo_tests : int
        Splits of training drawn like the test split; each costs the distances of the space.
    halves : int
        Ways to halve the units for the noise ceiling; each costs the distances of both halves.
    control_tasks : int
        For the selectivity of the classifier, where types of units are known.
    description_length : bool
        Whether the online code of the labels is measured, and that of shuffled ones.
    cells : {"ends", "all"}
        The last layer before fine-tuning and after its last update, or every cell. Movement, whose
        control costs little, is controlled in every layer; classifiers where they are trained.
    groups : bool
        Whether units of one sentence, or of one group of given points, are held together.
    exchange : {"within", "whole"}
        What permutations do where there are groups; see
        :func:`geoprobe.controls.permuted_rows`.
    absent : {"intersect", "zero", "error"}
        What becomes of labels of one space only in similarities by the size of labels; see
        :func:`geoprobe.controls.correlate_layouts`.
    seed : int
    """

    permutations: Whole = 100
    clusters_up_to: Whole = 10_000
    pseudo_tests: Whole = 100
    halves: Whole = 100
    control_tasks: Whole = 3
    description_length: Flag = True
    cells: Literal["ends", "all"] = "ends"
    groups: Flag = True
    exchange: Literal["within", "whole"] = "within"
    absent: Literal["intersect", "zero", "error"] = "intersect"
    seed: Whole = 0

    @property
    def shuffled_name(self) -> str:
        """What the folder of shuffled labels is called; another choice is another folder."""
        held = self.exchange if self.groups else "free"
        return f"shuffled-{self.permutations}-{held}-to{self.clusters_up_to}-seed{self.seed}"

    @property
    def sampling_name(self) -> str:
        """What the folder of pseudo-tests and halves is called."""
        held = "groups" if self.groups else "free"
        return f"sampling-{self.pseudo_tests}-{self.halves}-{held}-seed{self.seed}"

    @property
    def selectivity_name(self) -> str:
        """What the folder of control tasks and description lengths is called."""
        code = "-code" if self.description_length else ""
        held = "groups" if self.groups else "free"
        return f"selectivity-{self.control_tasks}{code}-{held}-seed{self.seed}"
