"""Plans of studies: what they say, what they refuse, and that they can be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geoprobe.errors import FormatError, InputError
from geoprobe.studies.plan import ANALYSES, Plan, demo_plan, plan_from_table, read_plan

TEXT = """
tasks = ["builtin-pos", "mine"]
models = ["minilm"]
seeds = [0, 1]
layers = [0, 6]
checkpoints = "log:3"
analyses = ["linearity", "movement"]

[task.mine]
train = "mine.jsonl"
test = "mine_test.jsonl"

[cross]
mine = ["builtin-pos"]

[finetune]
epochs = 2

[limit]
train = 100

[classifier]
hidden_sizes = [32]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "small.toml"
    path.write_text(TEXT, encoding="utf8")
    return read_plan(path)


def test_a_plan_is_read(plan: Plan, tmp_path: Path) -> None:
    assert plan.name == "small"
    assert plan.tasks == ("builtin-pos", "mine")
    assert plan.seeds == (0, 1)
    assert plan.layers == (0, 6)
    assert plan.checkpoints.steps(100, 10) == (0, 1, 10, 100)
    assert plan.finetune.epochs == 2
    assert plan.limit.train == 100
    assert plan.limit.test is None
    assert plan.task["mine"].train == tmp_path / "mine.jsonl"
    assert plan.extracted("mine") == ("mine", "builtin-pos")
    assert plan.all_tasks == ("builtin-pos", "mine")
    assert plan.classifier is not None
    assert plan.classifier.hidden_sizes == (32,)


def test_a_plan_can_be_kept_and_read_again(plan: Plan) -> None:
    assert plan_from_table(plan.as_table()) == plan
    assert plan_from_table(demo_plan().as_table()) == demo_plan()


def test_defaults() -> None:
    plan = plan_from_table({"tasks": ["pos"], "models": "minilm"})
    assert plan.analyses == ANALYSES
    assert plan.layers is None
    assert plan_from_table({"tasks": "pos", "models": "m", "classifier": False}).classifier is None


def test_cross_all_is_every_other_task_for_each() -> None:
    plan = plan_from_table({"tasks": ["pos", "dep", "ps-fxn"], "models": "m", "cross": "all"})
    assert plan.cross["dep"] == ("pos", "ps-fxn")
    assert all(set(plan.extracted(task)) == set(plan.tasks) for task in plan.tasks)
    assert plan_from_table({"tasks": ["pos"], "models": "m", "cross": "all"}).cross == {}


def test_revision_of_a_model() -> None:
    table = {"tasks": "pos", "models": ["bert-tiny", "m"], "revision": {"bert-tiny": "refs/pr/2"}}
    plan = plan_from_table(table)
    assert [plan.revised(model) for model in plan.models] == ["bert-tiny (refs/pr/2)", "m"]
    assert plan_from_table(plan.as_table()) == plan


@pytest.mark.parametrize("name", ["five_tasks", "paper"])
def test_plans_of_the_scripts_are_read(name: str) -> None:
    plan = read_plan(Path(__file__).parents[2] / "scripts" / f"{name}.toml")
    assert plan.tasks == ("pos", "dep", "ps-role", "ps-fxn", "trec-50")
    # The paper's causal test: units of PS-fxn after tuning on POS and on PS-role.
    assert all("ps-fxn" in plan.extracted(task) for task in ("pos", "ps-role", "ps-fxn"))


def test_plan_by_update_looks_at_the_causal_test() -> None:
    plan = read_plan(Path(__file__).parents[2] / "scripts" / "five_tasks_by_update.toml")
    assert plan.extracted("pos") == ("pos", "ps-fxn") and plan.layers == (1, 6)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"taks": ["pos"]}, "'taks'; the nearest known one is 'tasks'"),
    ({"tasks": ["poss"]}, "'poss'; the nearest known one is 'pos'"),
    ({"tasks": []}, "tasks is []: the list is empty"),
    ({"models": 3}, "models is 3: a list is expected"),
    ({"seeds": [0, 0]}, "seeds is [0, 0]: it names something twice"),
    ({"seeds": [-1]}, "seeds.0 is -1"),
    ({"seeds": [True]}, "seeds.0 is True"),
    ({"layers": ["last"]}, "layers.0 is 'last'"),
    ({"checkpoints": "sometimes"}, "'sometimes' came"),
    ({"analyses": ["movment"]}, "'movment'; the nearest known one is 'movement'"),
    ({"finetune": {"epoch": 3}}, "no key 'epoch' in finetune; the nearest known one is 'epochs'"),
    ({"finetune": {"seed": 3}}, "no seed of its own"),
    ({"finetune": 3}, "finetune is 3: a table is expected"),
    ({"limit": {"trian": 3}}, "the nearest known one is 'train'"),
    ({"classifier": {"fold": 3}}, "the nearest known one is 'folds'"),
    ({"classifier": {"folds": 1}}, "folds"),
    ({"classifier": {"hidden_sizes": ["big"]}}, "hidden_sizes"),
    ({"classifier": {"search": "slow"}}, "'full' or 'quick'"),
    ({"classifier": {"initialisations": 0}}, "classifier.initialisations"),
    ({"limit": {"train": "all"}}, "limit.train"),
    ({"classifier": 3}, "classifier is 3: a table is expected"),
    ({"cross": {"dep": ["pos"]}}, "cross names 'dep'"),
    ({"cross": "all", "tasks": 3}, "tasks is 3: a list is expected"),
    ({"revision": {"other": "main"}}, "revision names 'other'"),
    ({"revision": "main"}, "revision is 'main': a table is expected"),
    ({"checkpoints": "every:0"}, "'every:0' came"),
    ({"cross": {"pos": ["dpe"]}}, "'dpe'; the nearest known one is 'dep'"),
    ({"task": {"mine": {"train": "a.csv", "fromat": "csv"}}}, "the nearest known one is 'format'"),
    ({"tau": 3.0}, "tau"),
    ({"reduce": "max"}, "'mean' or 'minimum'"),
    ({"min_cluster_size": 0}, "min_cluster_size"),
    ({"data": 5}, "data is 5: the name of a file is expected"),
    ({"analyses": [1]}, "analyses.0 is 1: text is expected"),
    ({"analyses": []}, "analyses is []: the list is empty"),
    ({"cross": {"pos": [1]}}, "cross.pos.0 is 1: text is expected"),
    ({"cross": 1}, "cross is 1: a table is expected"),
    ({"name": 5}, "name is 5: text is expected"),
    ({"task": 5}, "task is 5: a table is expected"),
    ({"task": {"mine": 5}}, "task.mine should be a table"),
    ({"own": {}}, "no key 'own'"),
    ({"resamples": 1}, "two at least"),
    ({"device": []}, "device is []"),
    ({"threads": 2}, "threads are of the device \"cpu\", but the device is 'auto'"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_what_a_plan_refuses(change: dict[str, Any], message: str) -> None:
    table = {"tasks": ["pos"], "models": ["minilm"], **change}
    with pytest.raises(InputError) as caught:
        plan_from_table(table)
    assert message in str(caught.value)


@pytest.mark.parametrize("key", ["tasks", "models"])
def test_a_plan_needs(key: str) -> None:
    table = {"tasks": ["pos"], "models": ["minilm"]}
    del table[key]
    with pytest.raises(InputError, match=key):
        plan_from_table(table)


def test_files_that_are_no_plans(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        read_plan(tmp_path / "none.toml")
    path = tmp_path / "bad.toml"
    path.write_text("tasks = [", encoding="utf8")
    with pytest.raises(FormatError, match=r"bad\.toml: this is no TOML"):
        read_plan(path)
    path.write_text('tasks = ["pos"]\nmodels = ["minilm"]\nfoo = 1\n', encoding="utf8")
    with pytest.raises(FormatError, match=r"bad\.toml: there is no key 'foo'"):
        read_plan(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="UTF-8"):
        read_plan(path)
