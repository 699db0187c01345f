"""The table of foreign terms names what is here, hides none of it, and its advice makes valid specs."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from engine import JobSpec
from engine.component import Component
from engine.foreign_terms import TERMS, Term
from engine.json_pointer import tokens_of
from engine.spec_places import components, is_family, type_of
from engine.spelling import letters
from engine.translation import ANYWHERE, Translation, infer_type, translate_field, translate_value
from tests.engine.documents import DATA, at, merged, replaced
from tests.engine.families import NEEDED

ENTRIES = [
    pytest.param(place, term, id=f"{place or '/'} {term.words.split()[0]}")
    for place, terms in TERMS.items()
    for term in terms
]


FIELDS = [
    each
    for each in ENTRIES
    if isinstance(each.values[1].ours, str) and each.values[0].partition("=")[0] in (*components(), ANYWHERE)
]
VALUES = [
    each
    for each in ENTRIES
    if each.values[1].ours is not None and each.values[0].partition("=")[0] not in (*components(), ANYWHERE)
]


def names_at(place: str) -> set[str]:
    """The letters of what may be said at a place: the fields of an object, or the names of a family's members."""
    if place.endswith("/type"):
        return {letters(str(type_of(member))) for member in components()[place.removesuffix("/type")]}
    above, is_other, kind = place.partition("=")
    if is_other and not kind:
        return set()  # words in place of an object
    members = [member for member in components().get(above, ()) if not kind or type_of(member) == kind]
    every = [set(map(letters, member.model_fields)) for member in members]
    return set.intersection(*every) if every else set()


def is_there(pointer: str) -> bool:
    above, _, field = pointer.rpartition("/")
    return any(field in member.model_fields for member in components()[above])


@pytest.mark.parametrize(("place", "term"), ENTRIES)
def test_an_entry_names_what_is_there(place: str, term: Term) -> None:
    above, _, kind = place.partition("=")
    whole = above in components() or above == ANYWHERE
    assert whole or is_family(above.removesuffix("/type")) or is_there(above)
    if kind:
        assert kind in map(type_of, components()[above])
    if isinstance(term.ours, str) and term.ours.startswith("/"):
        assert is_there(term.ours)
    elif isinstance(term.ours, str) and whole:
        assert is_there(f"{above}/{term.ours}")
    elif place.endswith("/type") and term.ours is not None:
        ours = term.ours if isinstance(term.ours, dict) else {"type": term.ours}
        family = components()[place.removesuffix("/type")]
        made = next(member for member in family if type_of(member) == ours["type"])
        assert ours.keys() <= made.model_fields.keys()
    assert term.ours is not None or term.note
    assert term.of
    assert term.note.isascii(), "a terminal shows the answer's JSON as it comes, with escapes"


@pytest.mark.parametrize("place", TERMS)
def test_no_word_is_one_of_ours_or_said_twice(place: str) -> None:
    said = [letters(word) for term in TERMS[place] if not term.beside for word in term.words.split()]
    assert sorted(said) == sorted(set(said))
    assert "" not in said
    assert not names_at(place) & set(said)


SAID: dict[str, JsonValue] = {
    "/data/train": "wine",
    "/data/target": "class",
    "/data/features": ["a"],
    "/data/columns": {"a": "ignore"},
    "/data/split/group_by": "who",
    "/name": "mine",
    "/register_as": "mine",
    "/layers/*/units": 4,
    "/schedule/interval": 3,
    "/loss/class_weights": "balanced",
    "/time_limit_seconds": 60.0,
    "/training/clip_norm": 1.0,
    "/training/clip_value": 1.0,
}
"""Something to say of the fields that have no default."""
CONVERTED: dict[str, tuple[JsonValue, JsonValue]] = {
    "one minus": (0.25, 0.75),
    "inverse": (4, 0.25),
    "times batch": (0.5, 32.0),
    "dev share": (0.25, [0.75, 0.25, 0]),
    "test share": (0.25, [0.75, 0, 0.25]),
    "train share": (0.5, [0.5, 0.25, 0.25]),
    "best or last": (True, "best"),
    "gpu or cpu": (True, "gpu"),
    "at start": (False, []),
}
"""A value of others, and ours."""


def owner_at(place: str, ours: str) -> dict[str, Any]:
    """An object that may stand at a place: the member that the place names, else the first that has the field."""
    above, _, kind = place.removeprefix(ANYWHERE).partition("=")
    members = components()[above]
    if not is_family(above):
        return {}
    having = [member for member in members if (type_of(member) == kind if kind else ours in member.model_fields)]
    member = (having or members)[0]
    return {"type": type_of(member), **NEEDED.get(str(type_of(member)), {})}


def said_and_meant(term: Term, pointer: str) -> tuple[JsonValue, JsonValue]:
    """A value for a field that is ours at the pointer, as others write it, and as we do."""
    if term.value is not None:
        return CONVERTED[term.value]
    above, _, field = pointer.rpartition("/")
    if pointer in SAID:
        return SAID[pointer], SAID[pointer]
    known = next(member.model_fields[field] for member in components()[above] if field in member.model_fields)
    default = known.get_default(call_default_factory=True)
    if isinstance(default, Component):
        fields = default.model_dump(mode="json")
        default = {"type": fields["type"], **fields} if "type" in fields else fields
    plain = json.loads(json.dumps(default))
    return plain, plain


def tokens_at(place: str) -> tuple[str, ...]:
    return tokens_of(place.replace("/columns/*", "/columns/a").replace("*", "0"))


def corrected(document: JsonValue, tokens: Sequence[str], advice: Translation | None) -> JsonValue:
    """The document as the advice has it."""
    assert advice is not None and advice.pointer is not None, document
    if advice.pointer:
        return replaced(document, tokens, tokens_of(advice.pointer), advice.value)
    return merged(replaced(document, tokens, ("seed",), 0), advice.value)


@pytest.mark.parametrize(("place", "term"), FIELDS)
def test_a_field_with_another_name_here_is_told_it(place: str, term: Term) -> None:
    above = place.partition("=")[0].removeprefix(ANYWHERE)
    ours = str(term.ours)
    pointer = ours if ours.startswith("/") else f"{above}/{ours}"
    said, meant = said_and_meant(term, pointer)
    for word in term.words.split():
        document = merged({"data": DATA}, at(above, {**owner_at(place, ours), word: said}))
        tokens = (*tokens_at(above), word)
        advice = translate_field(tokens, document)
        right = corrected(document, tokens, advice)
        assert advice is not None and json.dumps(meant) in advice.sentence
        JobSpec.model_validate_json(json.dumps(right), strict=True)


BESIDE = {"units": 4, "momentum": 0.5, "nesterov": True}


@pytest.mark.parametrize(("place", "term"), VALUES)
def test_a_value_with_another_name_here_is_told_it(place: str, term: Term) -> None:
    family = place.removesuffix("/type") if place.endswith("/type") else None
    ours = term.ours["type"] if isinstance(term.ours, dict) and family else term.ours
    above = place.rpartition("/")[0] if family is None else ""
    beside = {name: BESIDE[name] for name in term.beside.split()[:1]} or NEEDED.get(str(ours), {})
    for word in term.words.split():
        document = at(family, {"type": word, **beside}) if family else at(place, word)
        if is_family(above):
            document = merged(document, at(above, owner_at(above, place.rpartition("/")[2])))
        advice = translate_value(tokens_at(place), document)
        right = corrected(document, tokens_at(place), advice)
        JobSpec.model_validate_json(json.dumps(right), strict=True)
        if family and not beside:
            assert translate_value(tokens_at(family), at(family, word)) == advice, "by its name alone"


WORDS = st.sampled_from([word for terms in TERMS.values() for term in terms for word in term.words.split()])
NAMES = st.sampled_from([name for members in components().values() for each in members for name in each.model_fields])
KEYS = WORDS | NAMES | st.text(max_size=3)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | KEYS
DOCUMENTS = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4), max_leaves=12
)


@given(DOCUMENTS)
def test_nothing_that_is_written_is_too_strange(document: JsonValue) -> None:
    """Whatever stands wherever: there is something to say of it or not, and never an error of ours."""
    waiting: list[tuple[tuple[str, ...], JsonValue]] = [((), document)]
    while waiting:
        tokens, value = waiting.pop()
        advice = [translate_value(tokens, document), infer_type(tokens, document)]
        advice += [translate_field(tokens, document)] if tokens else []
        assert all(each is None or each.sentence for each in advice)
        below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += [((*tokens, str(key)), each) for key, each in below]
