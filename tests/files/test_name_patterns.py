"""Patterns of names: what they find, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from geoprobe.errors import FormatError, InputError
from geoprobe.files.name_patterns import NamePattern, fill_in, find_files, names_in


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(pattern: str, folder: Path) -> dict[str, dict[str, str]]:
    pairs = find_files(pattern, folder, ("layer",))
    return {path.relative_to(folder).as_posix(): values for path, values in pairs}


def test_names_stand_for_parts_of_paths(tmp_path: Path) -> None:
    touch(tmp_path, "bert/pos/layer_0.npz", "bert/pos/layer_11.npz", "bert/pos/notes.txt")
    touch(tmp_path, "bert/pos/layer_x.npz", "bert/layer_0.npz", ".git/pos/layer_0.npz")
    assert found("{model}/{task}/layer_{layer}.npz", tmp_path) == {
        "bert/pos/layer_0.npz": {"model": "bert", "task": "pos", "layer": "0"},
        "bert/pos/layer_11.npz": {"model": "bert", "task": "pos", "layer": "11"},
    }


def test_wildcards_and_repeated_names(tmp_path: Path) -> None:
    touch(tmp_path, "a/x1/a.npz", "a/x2/b.npz", "b/deep/er/b.npz", "b/y/c.bin")
    assert found("{model}/**/{model}.npz", tmp_path) == {
        "a/x1/a.npz": {"model": "a"},
        "b/deep/er/b.npz": {"model": "b"},
    }
    assert list(found("?/x*/*.npz", tmp_path)) == ["a/x1/a.npz", "a/x2/b.npz"]
    assert list(found(f"{tmp_path}/a/x1/{{name}}.npz", tmp_path)) == ["a/x1/a.npz"]


def test_a_name_that_can_be_read_in_two_ways_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "bert_base_pos.npz")
    with pytest.raises(InputError, match="'pos' or model 'bert', task 'base_pos'"):
        find_files("{model}_{task}.npz", tmp_path)


def test_nothing_found_says_where(tmp_path: Path) -> None:
    touch(tmp_path, "bert/pos/layer_0.npz")
    with pytest.raises(
        FormatError, match=r"no file fits .*as far as .*bert/pos: in this folder are 'layer_0"
    ):
        find_files("{model}/pos/layer-{layer}.npz", tmp_path)
    with pytest.raises(FormatError, match="no file fits"):
        find_files("none/{model}.npz", tmp_path)


def test_patterns_without_a_file_at_their_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/b.npz")
    for pattern in ("", "/", "**", "a/**", "{model}", "a/b.npz/{c}", "nul\0{c}"):
        with pytest.raises(FormatError, match="no file fits"):
            find_files(pattern, tmp_path)
    with pytest.raises(InputError, match="no folder of a user"):
        find_files("~nobody-at-all/{c}", tmp_path)


def test_links_that_lead_back_up(tmp_path: Path) -> None:
    touch(tmp_path, "a/b.npz")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert list(found("**/{name}.npz", tmp_path)) == ["a/b.npz"]


@pytest.mark.parametrize("pattern", ["{model", "model}.npz", "{a{b}}"])
def test_braces_without_partners(pattern: str) -> None:
    with pytest.raises(InputError, match="brace"):
        names_in(pattern)


@pytest.mark.parametrize("pattern", ["{}", "{1}", "{a b}", "{model:d}"])
def test_what_is_no_name(pattern: str) -> None:
    with pytest.raises(InputError, match="between braces"):
        names_in(pattern)


def test_values_fill_names_in() -> None:
    assert fill_in("{task}/{layer}*.txt", {"task": "pos", "layer": 3}) == "pos/3*.txt"
    with pytest.raises(InputError, match=r"nothing is known of {task}"):
        fill_in("{task}", {"model": "a"})
    assert NamePattern("layer_{layer}", ("layer",)).read("layer_3_test") is None
    assert NamePattern("blocks/{layer}", ("layer",)).read("blocks/7") == {"layer": "7"}
