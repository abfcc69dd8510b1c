"""Arrays of points and labels: what is taken, and each thing that is refused, one by one."""

from __future__ import annotations

import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from geoprobe.arrays import as_labels, as_points, warn_of_dominating_row
from geoprobe.errors import (
    FormatError,
    GeoprobeError,
    InputError,
    InputTypeError,
    InputWarning,
    OutputError,
    UnprovedError,
    VerificationError,
)
from geoprobe.threads import checked_threads

TABLE = np.arange(12.0).reshape(4, 3)


class FakeTensor:
    """As much of a torch tensor as the validation may rely on."""

    def __init__(self, array: np.ndarray, dtype: str, calls: list[str] | None = None) -> None:
        self.array, self.dtype, self.calls = array, dtype, [] if calls is None else calls

    def detach(self) -> FakeTensor:
        self.calls.append("detach")
        return self

    def cpu(self) -> FakeTensor:
        self.calls.append("cpu")
        return self

    def float(self) -> FakeTensor:
        return FakeTensor(self.array.astype(np.float32), "torch.float32", self.calls)

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        if self.calls[:2] != ["detach", "cpu"]:
            raise RuntimeError("can't convert a tensor that requires grad")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.int8, np.float64),
        (np.uint16, np.float64),
        (np.int64, np.float64),
        (np.bool_, np.float64),
        (">f4", np.float32),
        (">f8", np.float64),
        (">i4", np.float64),
    ],
)
def test_points_become_native_floats(given: object, dtype: type) -> None:
    points = as_points((TABLE % 2).astype(given))
    assert points.dtype == dtype
    assert points.dtype.isnative
    assert points.flags.c_contiguous
    np.testing.assert_array_equal(points, TABLE % 2)


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2.5], [True, np.float32(0.5)]],
        [[np.int64(1), Decimal("2.5")], [np.True_, Fraction(1, 2)]],
    ],
)
def test_objects_that_are_numbers(values: list) -> None:
    points = as_points(np.array(values, dtype=object))
    assert points.dtype == np.float64
    assert points.tolist() == [[1.0, 2.5], [1.0, 0.5]]


def test_columns_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "c": [True, False, True]})
    expected = [[1.0, 0.5, 1.0], [2.0, 1.5, 0.0], [3.0, 2.5, 1.0]]
    nullable = frame.astype({"a": "Int64", "b": "Float64", "c": "boolean"})
    for columns in (frame, nullable, frame.astype(object), frame.assign(a=nullable["a"])):
        assert as_points(columns).tolist() == expected
    nullable.loc[1, "a"] = pandas.NA
    with pytest.raises(InputError, match="row 1 holds <NA>, of type NAType"):
        as_points(nullable)


def test_what_could_never_be_a_number_is_a_type_error() -> None:
    assert issubclass(InputTypeError, TypeError)
    with pytest.raises(InputTypeError, match=r"row 0 holds {'a': 1}, of type dict.*not 'dict'"):
        as_points(np.array([[{"a": 1}, 1.0]], dtype=object))


@pytest.mark.parametrize("n_threads", [2, np.int64(2), np.uint8(2)])
def test_counts_of_threads(n_threads: int) -> None:
    assert type(checked_threads(n_threads)) is int
    assert checked_threads(n_threads) == 2


@pytest.mark.parametrize("n_threads", [0, np.int64(-1), True, 2.0, np.float64(2), "2"])
def test_counts_of_threads_that_are_none(n_threads: object) -> None:
    with pytest.raises(InputError, match="positive whole number"):
        checked_threads(n_threads)  # type: ignore[arg-type]


@pytest.mark.parametrize("far", [3e38, 2e4])
def test_a_row_that_sets_the_scale_alone_is_named(far: float) -> None:
    points = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    points[17, 2] = far
    with pytest.warns(InputWarning, match=r"letters: row 17 lies \S+ from the mean of the others"):
        warn_of_dominating_row(points, "letters")


@pytest.mark.parametrize("n_points", [1, 2, 3, 50, 5000])
def test_no_warning_of_ordinary_rows(n_points: int) -> None:
    rng = np.random.default_rng(n_points)
    points = rng.normal(size=(n_points, 3)) + 1e6
    points[0] *= 1.0 + 1e-4
    warn_of_dominating_row(points, "x")
    # Two far rows, or others that all coincide: there is no scale that one row has hidden.
    points[1:2] = points[:1]
    warn_of_dominating_row(points, "x")
    points[1:] = 0.0
    warn_of_dominating_row(points, "x")


def test_points_from_lists() -> None:
    np.testing.assert_array_equal(as_points(TABLE.tolist()), TABLE)


def test_points_are_not_copied_without_need() -> None:
    assert as_points(TABLE) is TABLE
    assert not np.shares_memory(as_points(TABLE, copy=True), TABLE)


@pytest.mark.parametrize("layout", [TABLE.T, TABLE[::2], TABLE[:, ::-1], np.asfortranarray(TABLE)])
def test_any_memory_layout_works(layout: np.ndarray) -> None:
    points = as_points(layout)
    assert points.flags.c_contiguous
    np.testing.assert_array_equal(points, layout)


def test_read_only_works() -> None:
    frozen = TABLE.copy()
    frozen.setflags(write=False)
    np.testing.assert_array_equal(as_points(frozen), TABLE)


def test_memory_mapped_stays_mapped(tmp_path) -> None:
    np.save(tmp_path / "x.npy", TABLE)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    points = as_points(mapped)
    assert type(points) is np.ndarray
    assert np.shares_memory(points, mapped)


def test_tensor_is_detached_and_moved() -> None:
    np.testing.assert_array_equal(as_points(FakeTensor(TABLE, "torch.float64")), TABLE)


def test_bfloat16_tensor_becomes_float32() -> None:
    points = as_points(FakeTensor(TABLE, "torch.bfloat16"))
    assert points.dtype == np.float32


def test_extreme_but_harmless_magnitudes() -> None:
    for scale in (1e138, 1e-129, 0.0):
        as_points(TABLE * scale)
    as_points(np.array([[1.0, 1e-300], [2.0, 0.0]]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_not_finite(bad: float, dtype: type) -> None:
    points = TABLE.astype(dtype)
    points[2, 1] = points[3, 0] = bad
    with pytest.raises(InputError, match=rf"X contains {bad} in row 2, column 1.*NaN.*inf"):
        as_points(points)


def test_not_finite_far_down() -> None:
    points = np.zeros((3_000_000, 2), dtype=np.float32)
    points[2_999_999, 1] = np.nan
    with pytest.raises(InputError, match="row 2999999, column 1"):
        as_points(points)


@pytest.mark.parametrize(
    ("points", "match"),
    [
        (np.array([["a"]]), "dtype <U1, but numbers"),
        (np.array([[b"a"]]), r"dtype \|S1"),
        (np.array([[1.0, None]]), "Python objects.*row 0 holds None, of type NoneType"),
        (np.array([[1.0], ["a"]], dtype=object), "row 1 holds 'a', of type str"),
        ([[1], [2**70]], r"row 1 holds an integer beyond 2\*\*53"),
        (np.array([[0.5], [1 + 1j]], dtype=object), r"row 1 holds \(1\+1j\), of type complex"),
        (np.array([["0.5"], [0.25]], dtype=object), r"row 0 holds '0\.5', of type str"),
        (np.array([[1.0], [float("nan")]], dtype=object), "nan in row 1, column 0"),
        (np.array([[1], [2**53 + 1]], dtype=object), r"row 1 holds an integer beyond 2\*\*53"),
        (np.array([[1], [10**400]], dtype=object), r"row 1 holds an integer beyond 2\*\*53"),
        (np.array([[1j]]), "Complex data not supported"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), "dtype datetime64"),
        (np.zeros((2, 2), dtype=[("a", float)]), "dtype"),
        (np.ma.masked_array(TABLE, TABLE > 3), "masked"),
        (None, "NoneType"),
        ("text", "dtype"),
        ([[1, 2], [3]], "cannot be read as an array"),
        (3.0, r"shape is \(\)"),
        ([1.0, 2.0], r"shape is \(2,\).*Reshape your data"),
        (np.zeros((2, 2, 2)), r"shape is \(2, 2, 2\)"),
        (np.zeros((0, 3)), "0 sample"),
        (np.zeros((3, 0)), r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required"),
        ([[0], [2**53 + 2]], r"integer 9007199254740994 in row 1, column 0.*2\*\*53"),
        ([[-(2**60)]], "integer -1152921504606846976"),
        (np.array([[2**64 - 1]], dtype=np.uint64), "integer 18446744073709551615"),
        ([[1.0], [1e300]], r"1e\+300 in row 1, column 0.*overflow.*Rescale"),
        ([[0.0, 0.0], [0.0, -1e-300]], r"1e-300 \(row 1.*underflow.*[Rr]escale"),
    ],
)
def test_points_refused(points: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        as_points(points)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long double is float64 here")
def test_wide_floats_are_named() -> None:
    with pytest.raises(InputError, match="wider than float64; convert it"):
        as_points(TABLE.astype(np.longdouble))


def test_sparse_is_refused() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(InputError, match="sparse"):
        as_points(sparse.csr_matrix(TABLE))


def test_smallest_number_of_rows() -> None:
    with pytest.raises(InputError, match=r"n_samples=4.*minimum of 5"):
        as_points(TABLE, min_points=5)


def test_name_is_used() -> None:
    with pytest.raises(InputError, match="A should"):
        as_points([1.0], name="A")


@pytest.mark.parametrize(
    ("labels", "classes", "codes"),
    [
        (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
        (("b", "a"), ["a", "b"], [1, 0]),
        ([3, -1, 3], [-1, 3], [1, 0, 1]),
        ([True, False], [False, True], [1, 0]),
        ([2.0, 1.0], [1, 2], [1, 0]),
        (np.array([2.0, 1.0], dtype=np.float32), [1, 2], [1, 0]),
        (np.array(["10", "9", "-1"]), ["-1", "10", "9"], [1, 2, 0]),
        (np.array(["x", "y"], dtype=object), ["x", "y"], [0, 1]),
        (np.array([5, 4], dtype=object), [4, 5], [1, 0]),
        (np.array([True, False], dtype=object), [False, True], [1, 0]),
        (np.array([2.0, 1.0], dtype=object), [1, 2], [1, 0]),
        (np.array([7, 8], dtype=np.uint8), [7, 8], [0, 1]),
        (FakeTensor(np.array([1, 0]), "torch.int64"), [0, 1], [1, 0]),
    ],
)
def test_labels(labels: object, classes: list, codes: list) -> None:
    found, numbers = as_labels(labels, len(codes))
    assert found.tolist() == classes
    assert numbers.tolist() == codes
    assert numbers.dtype == np.int32
    assert found.dtype.kind in "iubU"


def test_numpy_strings_of_any_length() -> None:
    string_type = getattr(np.dtypes, "StringDType", None)
    if string_type is None:
        pytest.skip("this NumPy has no variable-length strings")
    classes, _ = as_labels(np.array(["ab", "a"], dtype=string_type()), 2)
    assert classes.dtype.kind == "U"


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (None, "should be a 1d array of 3 labels, but it is None"),
        ("abc", r"shape is \(\)"),
        ([[1, 2, 3]], r"shape is \(1, 3\)"),
        (np.zeros((3, 1), int), r"shape is \(3, 1\)"),
        ([1, 2], "2 labels, but there are 3 points"),
        ([], "0 labels, but there are 3 points"),
        (np.array([0.0, 1.5, 2.0]), "Unknown label type.*1.5 in row 1, a continuous value"),
        (np.array([0.0, 1.0, 1e300]), "continuous"),
        (np.array([0.0, np.nan, 1.0]), "nan in row 1"),
        (np.array([np.inf, 0.0, 1.0]), "inf in row 0"),
        ([0.0, float("nan"), 1.0], "nan in row 1"),
        (["a", None, "b"], "None in row 1"),
        (["a", 1, "b"], "mixes 'a' in row 0 with 1 in row 1"),
        ([1, "a", 2], "mixes 1 in row 0 with 'a' in row 1"),
        ([True, 0, 1], "mixes True in row 0 with 0 in row 1"),
        ([b"a", b"b", b"c"], "b'a' in row 0"),
        (np.array([b"a", b"b", b"c"]), r"np\.char\.decode"),
        (["a", "a\0", "b"], "NUL"),
        (np.array([1j, 2j, 3j]), "Unknown label type.*complex"),
        (np.array(["2020"] * 3, dtype="datetime64[Y]"), "Unknown label type.*datetime64"),
        ([{}, {}, {}], r"\{\} in row 0"),
        ([1, 2**70, 3], "64 bits"),
        ([[1], [2], [3, 4]], "cannot be read"),
    ],
)
def test_labels_refused(labels: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        as_labels(labels, 3)


def test_one_label_only() -> None:
    as_labels(["a", "a"], 2)
    with pytest.raises(InputError, match=r"one class .every label is 'a'.*at least 2"):
        as_labels(["a", "a"], 2, min_labels=2)
    with pytest.raises(InputError, match="y is empty"):
        as_labels([], 0, min_labels=1)


@pytest.mark.parametrize(
    "kind", [InputError, FormatError, OutputError, VerificationError, UnprovedError]
)
def test_every_error_is_a_value_error(kind: type[Exception]) -> None:
    assert issubclass(kind, GeoprobeError)
    assert issubclass(kind, ValueError)
    assert str(kind("What happened.")) == "What happened."


def test_format_error_says_where() -> None:
    error = FormatError("the row is short.", "a.csv", 7)
    assert str(error) == "a.csv, line 7: the row is short."
    assert str(FormatError("it is empty.", "a.csv")) == "a.csv: it is empty."
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.path, again.line) == (str(error), error.path, 7)
