"""The built-in text is a treebank, and its words mean something only in context."""

from __future__ import annotations

from collections import defaultdict
from importlib import resources

import pytest

UPOS = set("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
RELATIONS = set(
    "acl advcl advmod amod appos aux case cc ccomp clf compound conj cop csubj dep det discourse "
    "dislocated expl fixed flat goeswith iobj list mark nmod nsubj nummod obj obl orphan parataxis "
    "punct reparandum root vocative xcomp".split()
)
ROLES = set(
    "Place Goal Source Path Time Means Company Purpose Topic Whole Agent Manner Cost Other".split()
)
Rows = list[list[str]]


def blocks(name: str) -> list[list[str]]:
    text = (resources.files("geoprobe.tasks") / "builtin" / name).read_text(encoding="utf8")
    return [block.split("\n") for block in text.strip().split("\n\n")]


def rows(block: list[str]) -> Rows:
    return [line.split("\t") for line in block if not line.startswith("#")]


@pytest.fixture(scope="module", params=["train.conllu", "test.conllu"])
def sentences(request: pytest.FixtureRequest) -> list[list[str]]:
    return blocks(request.param)


def test_every_sentence_is_a_tree(sentences: list[list[str]]) -> None:
    for block in sentences:
        words = rows(block)
        assert all(len(row) == 10 for row in words), block[0]
        assert [row[0] for row in words] == [str(k) for k in range(1, len(words) + 1)]
        heads = [int(row[6]) for row in words]
        assert heads.count(0) == 1
        for k in range(1, len(words) + 1):
            seen = set()
            while k:
                assert k not in seen, f"a cycle in {block[1]}"
                seen.add(k)
                k = heads[k - 1]


def test_tags_and_relations_are_known(sentences: list[list[str]]) -> None:
    for block in sentences:
        for row in rows(block):
            assert row[3] in UPOS
            assert row[7].split(":")[0] in RELATIONS
            assert (row[7] == "root") == (row[6] == "0")
            assert row[2] != "_"


def test_every_preposition_has_a_role_and_nothing_else_has(sentences: list[list[str]]) -> None:
    for block in sentences:
        longer = {row[6] for row in rows(block) if row[7] == "fixed"}
        for row in rows(block):
            misc = dict(part.split("=") for part in row[9].split("|") if part != "_")
            alone = row[3] == "ADP" and row[7] == "case" and row[0] not in longer
            assert ("Role" in misc) == alone, row
            assert misc.get("Role", "Other") in ROLES
            assert set(misc) <= {"Role", "SpaceAfter"}


def test_the_text_is_that_of_the_words(sentences: list[list[str]]) -> None:
    for block in sentences:
        text = next(line for line in block if line.startswith("# text = "))[9:]
        words = rows(block)
        joined = "".join(row[1] + ("" if "SpaceAfter=No" in row[9] else " ") for row in words)
        assert joined.strip() == text


def test_there_is_enough_and_nothing_twice() -> None:
    every = blocks("train.conllu") + blocks("test.conllu")
    texts = [next(line for line in block if line.startswith("# text = ")) for block in every]
    assert len(texts) >= 400
    assert len(set(texts)) == len(texts)
    roles = {part[5:] for b in every for r in rows(b) for part in r[9].split("|") if "Role" in part}
    assert roles == ROLES


def test_context_matters() -> None:
    tags, roles = defaultdict(set), defaultdict(set)
    for block in blocks("train.conllu") + blocks("test.conllu"):
        for row in rows(block):
            tags[row[1].lower()].add(row[3])
            for part in row[9].split("|"):
                if part.startswith("Role="):
                    roles[row[1].lower()].add(part)
    assert sum(len(each) > 1 for each in tags.values()) >= 100
    assert sum(len(each) > 1 for each in roles.values()) >= 20


def test_labels_of_the_test_part_can_be_learnt() -> None:
    seen, asked = (
        {(3, r[3]) for b in blocks(n) for r in rows(b)}
        | {(7, r[7]) for b in blocks(n) for r in rows(b)}
        for n in ("train.conllu", "test.conllu")
    )
    assert asked <= seen
