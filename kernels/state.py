"""The named tuples that kernels share, with every field explained.

They stand in one file because the compiled code of a kernel depends on the order of the fields of
every tuple that it is given: :mod:`geoprobe.kernels.jit` compiles everything anew when this file
changes. Arrays of one entry are counters that kernels change in place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Points(NamedTuple):
    """The points of a space, in the unit ball, in two precisions."""

    float64: NDArray[np.float64]
    """(n_rows, n_dims): what every answer rests on."""
    float32: NDArray[np.float32]
    """(n_rows, n_dims): a copy that proposes which points to look at."""


class Question(NamedTuple):
    """What is asked about two hulls."""

    threshold: float
    """Hulls at most this far apart overlap."""
    decide: bool | np.bool_
    """Whether the search may end as soon as either answer is proved, the distance being of no
    interest."""
    max_steps: int
    """Points appended and dropped after which the search gives up."""


class Scratch(NamedTuple):
    """Room that one solve needs and the next one may overwrite; ``size`` is ``n_dims + 3``."""

    w: NDArray[np.float64]
    """(n_dims,): the vector between the two convex combinations, from the second to the first."""
    w32: NDArray[np.float32]
    """(n_dims,): ``w`` in float32."""
    support_levels: NDArray[np.float64]
    """(2,): the dot products of the two convex combinations with ``w``."""
    trial: NDArray[np.float64]
    """(size,): weights of the nearest points of the affine hulls; other solutions with the
    factor."""
    turns: NDArray[np.float64]
    """(2, size): the cosines and sines of a sweep of Givens rotations."""
    products: NDArray[np.float64]
    """(BATCH, size): the products of the new points with the working points and each other, then
    their rows of L."""
    vector: NDArray[np.float64]
    """(max(size, n_dims),): a vector of points, or of prices of working points."""
    batch_position: NDArray[np.int64]
    """(BATCH,): for the m-th point of a batch that was let in, its column in ``products``."""
    new_row: NDArray[np.int64]
    """(BATCH,): rows of the points to append."""
    new_side: NDArray[np.int64]
    """(BATCH,): their sides."""
    dependent: NDArray[np.float64]
    """(1,): a point whose new diagonal entry is below this share of its length is refused."""


class Working(NamedTuple):
    """A working set: the first ``n_working[0]`` entries of every array are in use.

    At most ``n_dims + 2`` points are independent; ``size`` is one more.
    """

    n_working: NDArray[np.int64]
    """(1,): the number of working points."""
    factor: NDArray[np.float64]
    """(size, size): the lower triangular L of :mod:`geoprobe.kernels.activeset`, the row of
    each working point at its ``slot``."""
    rhs: NDArray[np.float64]
    """(2, size): the solutions of ``L @ x = e``, e being 1 for the points of one side, else
    0."""
    signed: NDArray[np.float64]
    """(size, n_dims): the working points, those of the second side negated, at their ``slot``."""
    slot: NDArray[np.int64]
    """(size,): the row of ``signed`` and ``factor`` of each working point; entries not in use
    name the free ones."""
    row: NDArray[np.int64]
    """(size,): the row of each working point among all points."""
    side: NDArray[np.int64]
    """(size,): 0 for the first hull, 1 for the second."""
    weight: NDArray[np.float64]
    """(size,): the convex weights, of sum 1 on each side."""
    scratch: Scratch


class Pool(NamedTuple):
    """Working sets that stay with a pair of clusters from check to check."""

    sets: Working
    """The working sets, stacked along a new first axis; number 0 is for single use. They share
    one ``scratch``, which is not stacked."""
    pair: NDArray[np.int64]
    """(n_sets, 2): the slots ``a < b`` that each set belongs to, or -1."""
    last_used: NDArray[np.int64]
    """(n_sets,): when each set was used last, counted in solves."""


class Prices(NamedTuple):
    """What the search for crossing points keeps from step to step.

    Positions count the points of the first set, then those of the second. The price of a point
    is its dot product with ``w``.
    """

    price: NDArray[np.float64]
    """(n_a + n_b,): the price of each position, as far as it was computed."""
    candidates: NDArray[np.int64]
    """(n_candidates,): positions that came closest to crossing at the last look at all points."""
    n_listed: NDArray[np.int64]
    """(1,): how many candidates are listed; ``ALL`` where all points have to be looked at."""
    float32_first: NDArray[np.bool_]
    """(1,): whether looks at all points begin with prices in float32."""
    last_look: NDArray[np.bool_]
    """(1,): whether the next look at all points is for the bounds only, and appends none."""
    error: NDArray[np.float64]
    """(1,): once two hulls are proved disjoint, a bound of the error of the lowest price of the
    first and the highest of the second, as a share of the length of ``w``; that of other prices
    is that of float32."""


class Pair(NamedTuple):
    """Two disjoint hulls, and the points that carry their nearest points.

    A point of either hull is known by its *place*. *Members* are those with products: all of them,
    or those that come closest to carrying the nearest points. Members of the first side come
    first, then those of the second, then the rest of the first and of the second.
    """

    table: NDArray[np.float64]
    """(n_members, n_members): products of the members, those of the second side negated, and 1
    more for two of one side."""
    row: NDArray[np.int64]
    """(n_points,): the row of each point among all points."""
    side: NDArray[np.int64]
    """(n_members,): 0 for the first hull, 1 for the second."""
    start: NDArray[np.int64]
    """(3,): where the members of each side begin, and end."""
    rest: NDArray[np.int64]
    """(3,): where the rest of each side begins, and ends."""
    support: NDArray[np.int64]
    """(n_support,): places of the points that carry weight, all of them members."""
    support_start: NDArray[np.int64]
    """(3,): where those of each side begin, and end."""
    weight: NDArray[np.float64]
    """(n_members,): the convex weights, of sum 1 on each side."""
    price: NDArray[np.float64]
    """(n_members,): the product of each signed member with the vector between the nearest
    points."""
    lower: float
    """Lower bound of the distance."""
    upper: float
    """Upper bound of the distance."""


class SubsetSearch(NamedTuple):
    """Room for the search for the nearest points of a subset; ``row`` is the place of a member."""

    working: Working
    """The points that carry the nearest points."""
    price: NDArray[np.float64]
    """(n_members,): the products of signed members with the vector between the nearest points, and
    1 more."""
    far: NDArray[np.float64]
    """(n_members,): what is added to it: 0, or far too much where the subset lacks the member."""
    first: NDArray[np.int64]
    """(n_members,): places of the points that the search begins with."""


class SubsetAnswers(NamedTuple):
    """Room for the answers about the subsets of a pair."""

    status: NDArray[np.uint8]
    """(n_subsets,): DISJOINT or UNPROVED of :mod:`geoprobe.kernels.nearest`."""
    lower: NDArray[np.float64]
    """(n_subsets,): lower bound of the distance."""
    upper: NDArray[np.float64]
    """(n_subsets,): upper bound of the distance."""


class Answers(NamedTuple):
    """Room for the answers about a run of pairs.

    Pair ``k`` has its first support in ``row`` and ``weight`` from ``end[k - 1]`` to
    ``middle[k]``, its second from there to ``end[k]``.
    """

    status: NDArray[np.uint8]
    """(n_pairs,): DISJOINT, OVERLAP or UNPROVED of :mod:`geoprobe.kernels.nearest`."""
    lower: NDArray[np.float64]
    """(n_pairs,): lower bound of the distance."""
    upper: NDArray[np.float64]
    """(n_pairs,): upper bound of the distance."""
    middle: NDArray[np.int64]
    """(n_pairs,): where the second support begins."""
    end: NDArray[np.int64]
    """(n_pairs,): where the second support ends."""
    row: NDArray[np.int64]
    """(n_entries,): rows of the supports, end to end."""
    weight: NDArray[np.float64]
    """(n_entries,): their convex weights."""


class Linkage(NamedTuple):
    """The clusters of all labels and how they came about.

    Rows are sorted by label. A cluster is known by its *slot*, its smallest row; in arrays of
    length n_rows that speak of clusters only the entries of slots count.
    """

    first: NDArray[np.int64]
    """(n_labels + 1,): label ``l`` has the rows ``first[l]`` to ``first[l + 1]``."""
    label: NDArray[np.int64]
    """(n_rows,): the label of each row."""
    original: NDArray[np.int64]
    """(n_rows,): what each row was called before sorting; decides ties."""
    weight: NDArray[np.float64]
    """(n_rows,): the number of points in each cluster, repeated ones included."""

    cluster_of: NDArray[np.int64]
    """(n_rows,): the slot of the cluster that each row is in."""
    next_member: NDArray[np.int64]
    """(n_rows,): the next row of the same cluster, -1 after the last; the slot is the first."""
    last_member: NDArray[np.int64]
    """(n_rows,): the last row of each cluster."""
    n_members: NDArray[np.int64]
    """(n_rows,): the number of rows in each cluster."""

    near: NDArray[np.int64]
    """(n_rows,): the nearest later slot of each slot, in the code of
    :func:`geoprobe.kernels.centroids.near_slot`, or ``UNKNOWN``."""
    near_distance: NDArray[np.float64]
    """(n_rows,): the squared distance to it; where ``near`` is ``UNKNOWN``, a lower bound of
    those to all later slots, or ``NEW``."""
    best: NDArray[np.float64]
    """(n_labels,): the smallest ``near_distance`` of each label."""

    centroid: NDArray[np.float64]
    """(n_stretches, n_rows, STRIDE): the centroids of slots, filled up with zeros; perhaps turned,
    see :func:`geoprobe.kernels.linkage.allocate`. What is looked at first lies together."""
    visit_mark: NDArray[np.int64]
    """(n_rows,): the last mark given to slots that may not merge with the slot then looked at;
    ``GONE`` for what may never merge again."""
    ban_link: NDArray[np.int64]
    """(n_links, 2): chains of banned pairs; ``OTHER`` and ``NEXT`` name the columns. Link ``r``
    is the head of row ``r``'s chain."""
    counters: NDArray[np.int64]
    """(3,): see ``MOST_CHANGES`` and what follows it in :mod:`geoprobe.kernels.centroids`."""

    depth: NDArray[np.int64]
    """(1,): the number of merges and bans in the log, which can be undone."""
    log_pair: NDArray[np.int64]
    """(max_depth, 3): for each merge its slots ``i < j`` and the last member of ``i`` before; for
    each ban its slots and ``BANNED``."""
    log_weight: NDArray[np.float64]
    """(max_depth,): the weight of ``i`` before."""
    log_row: NDArray[np.float64]
    """(max_depth, n_stretches, STRIDE): the centroid of ``i`` before."""
    log_change: NDArray[np.int64]
    """(max_depth + 1,): where the changes of each entry begin in ``change_row``, and end."""
    change_row: NDArray[np.int64]
    """(max_changes, 2): a row whose nearest slot changed, and its ``near`` before."""
    change_distance: NDArray[np.float64]
    """(max_changes,): its ``near_distance`` before."""


class Directions(NamedTuple):
    """Separating directions of each pair of labels, and the interval of each cluster along them.

    A pair of labels ``a < b`` owns consecutive rows, those of ``a`` first; a column is a
    direction. ``capacity`` is the number of directions kept for a pair of labels; it grows as
    clusters become fewer.
    """

    pair: NDArray[np.int64]
    """(n_labels, n_labels): the number of the pair of labels; -1 for labels known disjoint."""
    begin: NDArray[np.int64]
    """(n_pairs,): the first row of each pair."""
    span: NDArray[np.int64]
    """(n_labels,): the clusters of each label when this was laid out."""
    place: NDArray[np.int64]
    """(n_rows,): the place of each slot among those clusters of its label."""
    used: NDArray[np.int64]
    """(n_pairs,): directions added since this was laid out, forgotten ones included, and those
    kept then; the next one takes the column ``used % capacity``."""
    low: NDArray[np.float32]
    """(n_entries, capacity): the lower end of a cluster's interval, in the row of its slot."""
    high: NDArray[np.float32]
    """(n_entries, capacity): the upper end."""
    added_at: NDArray[np.int64]
    """(n_pairs, capacity): the depth of the log when a direction was added."""
    log_low: NDArray[np.float32]
    """(max_depth, max_partners, capacity): lower ends of ``i`` before each merge in the log, for
    each label that its label overlaps."""
    log_high: NDArray[np.float32]
    """(max_depth, max_partners, capacity): the upper ends."""
    limits: NDArray[np.int64]
    """(2,): the capacity wanted, and the bytes that ``low`` and ``high`` may take."""


class Certificates(NamedTuple):
    """Overlaps proved: convex weights on two sides; ``size`` is ``n_dims + 3``."""

    slots: NDArray[np.int64]
    """(number, 2): of a ban, the two slots that may not merge; of a conflict, two rows of one side
    that were in two clusters when last looked at."""
    size: NDArray[np.int64]
    """(number,): how many rows carry weight."""
    row: NDArray[np.int64]
    """(number, size): those rows."""
    side: NDArray[np.int64]
    """(number, size): 0 or 1; in a ban, 0 is the union and 1 the cluster in between."""
    weight: NDArray[np.float64]
    """(number, size): convex weights, of sum 1 on each side."""


class Agenda(NamedTuple):
    """What is to be checked next, and what checking has found out so far."""

    control: NDArray[np.int64]
    """(13,): see ``PHASE`` and what follows it in :mod:`geoprobe.kernels.agenda`."""
    to_check: NDArray[np.int64]
    """(n_rows,): slots of the state that have to be checked."""
    open_slots: NDArray[np.int64]
    """(n_rows,): slots of one label that nothing yet separates from the slot being checked."""
    rows_a: NDArray[np.int64]
    """(n_rows,): the rows of the first hull of a solve."""
    rows_b: NDArray[np.int64]
    """(n_rows,): those of the second."""
    prices: Prices
    """Room for the prices of a solve: that of ``price`` is (n_rows,)."""
    exempt: NDArray[np.int64]
    """(256, 2): pairs of slots proved disjoint, neither of which has grown since; or -1."""
    success_rate: NDArray[np.int64]
    """(2, 2, 64): how often a method of :mod:`geoprobe.kernels.checking` was ``TRIED`` and
    ``HELPED``, by the binary logarithm of the cluster's size."""
    precision: NDArray[np.float64]
    """(n_dims, n_dims): the inverse covariance of all points."""
    scratch: NDArray[np.float64]
    """(2, n_dims): a sum of points, and the direction made of it."""


class Merging(NamedTuple):
    """Everything that merging works on."""

    points: Points
    links: Linkage
    directions: Directions
    agenda: Agenda
    pool: Pool
    conflicts: Certificates
    """The overlaps met last; a new one takes the place of the oldest."""
    bans: Certificates
    """Proofs of the bans since the caller last took them away."""
    threshold: float
    """Hulls at most this far apart overlap."""


class Hulls(NamedTuple):
    """The hulls that queries are projected onto, and what is known of them beforehand.

    A *member* is a point of a hull; the members of a hull follow each other.
    """

    points: NDArray[np.float64]
    """(n_rows, n_dims): in the unit ball."""
    rows: NDArray[np.int64]
    """(n_members,): the row of each member."""
    start: NDArray[np.int64]
    """(n_hulls + 1,): hull ``c`` has the members ``start[c]`` to ``start[c + 1]``."""
    mean: NDArray[np.float64]
    """(n_hulls, n_dims): the mean of each hull's members."""
    centred: NDArray[np.float32]
    """(n_members, n_dims): the members less the mean of their hull."""
    half_square: NDArray[np.float32]
    """(n_members,): half the squared length of each centred member."""
    radius: NDArray[np.float64]
    """(n_hulls,): the largest length of a centred member."""
    gram: NDArray[np.float32]
    """(n_entries,): the products of the centred members of each hull with each other, row by
    row."""
    gram_start: NDArray[np.int64]
    """(n_hulls,): where each hull begins in ``gram``; -1 where its products take too much room."""


class Query(NamedTuple):
    """A query as one hull sees it."""

    point: NDArray[np.float64]
    """(n_dims,): the query."""
    products: NDArray[np.float32]
    """(n_members of the hull,): its products with the members, all less the mean of the hull."""
    square: float
    """The squared distance of the query from the mean of the hull."""
    error: float
    """A bound of the error of a price found among products."""
    noise: float
    """Differences of such prices that mean nothing."""
    slack: float
    """A bound of the rounding error of a bound of the distance."""


class Projection(NamedTuple):
    """Room for the projection of a query onto a hull; ``size`` is that of the working set.

    The members that are looked at are *listed*: all of a hull with a Gram matrix, else those that
    came close to carrying the projection. ``row`` of a working point is its place in the list.
    The price of a member is its product with the vector from the query to the projection.
    """

    working: Working
    """The points that carry the projection; ``rhs`` belongs to ones and to ``offset``."""
    offset: NDArray[np.float64]
    """(size,): the product of each working point with the query, both centred; corrected."""
    n_listed: NDArray[np.int64]
    """(1,): the number of listed members."""
    listed: NDArray[np.int64]
    """(room,): the listed members of a hull without a Gram matrix, counted from its first."""
    is_listed: NDArray[np.bool_]
    """(n_largest,): which members of such a hull are listed; ``n_largest`` is the number of
    members of the largest hull."""
    between: NDArray[np.float32]
    """(size * room,): for such a hull the products of working points, in the order of their
    ``slot``, with listed members."""
    product: NDArray[np.float32]
    """(n_largest,): the products of listed members with the query; corrected."""
    price: NDArray[np.float32]
    """(n_largest,): the prices of listed members."""
    all_prices: NDArray[np.float32]
    """(n_largest,): the prices of all members."""
    towards: NDArray[np.float32]
    """(n_dims,): the vector from the query to the projection, in float32."""


class Ranking(NamedTuple):
    """A block of queries, and what is found out about them and every hull."""

    point: NDArray[np.float64]
    """(n_queries, n_dims): the queries."""
    centred: NDArray[np.float32]
    """(n_queries, n_dims): the queries less the mean of one hull."""
    square: NDArray[np.float64]
    """(n_queries, n_hulls): squared distances of the queries from the means of the hulls."""
    product: NDArray[np.float32]
    """(n_queries, n_members): products of queries and members, less the mean of the hull."""
    bound: NDArray[np.float64]
    """(n_queries, n_hulls): lower bounds of the distances."""
    order: NDArray[np.int64]
    """(n_queries, n_hulls): the hulls of each query, the smallest bound first."""
    nearest: NDArray[np.float64]
    """(k,): the smallest distances of a query found so far."""
    distance: NDArray[np.float64]
    """(n_queries, n_hulls): distances; infinite where the hull is farther than ``k`` others, NaN
    where float32 products could not tell."""
