"""From the words of other libraries to those of a spec: what a spec refuses may be called something else here.

`document` is the spec as it was written; `tokens` are the keys and indices that lead to what was refused.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import JsonValue, ValidationError

from engine.component import Component
from engine.foreign_terms import Term, look_up
from engine.foreign_values import CONVERSIONS, Said
from engine.json_pointer import pointer as json_pointer
from engine.spec import JobSpec
from engine.spec_places import components, homes, is_family, place_of, type_of
from engine.spelling import letters, nearest

Tokens: TypeAlias = Sequence[str | int]
Object: TypeAlias = dict[str, JsonValue]
ANYWHERE = "**"
LONGEST = 200  # letters of an example: whoever wrote more knows what is meant by then
NAMES_OF_TYPE = ("name", "class_name", "class", "kind", "method", "algorithm")
"""What others call the field that says which member of a family an object is."""


@dataclass(frozen=True)
class Translation:
    """What something is here: a sentence, and, where there is one, the value in our words and its JSON pointer.

    The value of the empty pointer is a merge patch of the spec.
    """

    sentence: str
    pointer: str | None = None
    value: JsonValue = None


def translate_field(tokens: Tokens, document: object) -> Translation | None:
    """What a field that its object does not have is here; None where there is nothing to say but what it has."""
    *above, last = tokens
    owner, name, place = found(document, above), str(last), place_of(above)
    if not isinstance(owner, dict):
        return None
    said, kind = Said(document, owner, name), owner.get("type")
    term = look_up(f"{place}={kind}", name, owner) or look_up(place, name, owner)
    if term is None:
        members = components().get(place, ())
        if letters(name) in _names(member for member in members if type_of(member) in (None, kind)):
            return None  # the same name, spelled otherwise
        if having := [type_of(member) for member in members if name in member.model_fields]:
            return Translation(f"it is a field of {' and '.join(map(repr, having))}")
        term = look_up(ANYWHERE, name, owner) or _of_ours(name)
    if term is None:
        return None
    if isinstance(term.ours, dict):
        return _member(said, above, term, f"{kind} with {name}")
    return _placed(said, above, term)


def translate_value(tokens: Tokens, document: object) -> Translation | None:
    """What a value is here that its field does not take: a word, or the type of a component."""
    written = found(document, tokens)
    if not tokens or not isinstance(written, str | int | None):
        return None
    word, place, above = _word(written), place_of(tokens), tokens[:-1]
    if is_family(place):  # a component by its name alone
        tokens, place, above, owner = (*tokens, "type"), f"{place}/type", tokens, Object(type=written)
    else:
        parent = found(document, above)
        owner = parent if isinstance(parent, dict) else {}
    term = look_up(_value_place(place), word, owner)
    if term is None:
        return None
    said = Said(document, owner, str(tokens[-1]))
    if is_family(place.removesuffix("/type")):
        beside = next((field for field in term.beside.split() if field in owner), None)
        return _member(said, above, term, "it" if beside is None else f"{word} with {beside}")
    if isinstance(term.ours, str) and term.ours.startswith("/"):
        return _placed(said, above, term)
    if term.ours is None:
        return Translation(term.note)
    return Translation(f"it is {json.dumps(term.ours)} here{_note(term)}", json_pointer(tokens), term.ours)


def infer_type(tokens: Tokens, document: object) -> Translation | None:
    """The type that an object without one can only have, by its fields."""
    written = found(document, tokens)
    if not isinstance(written, dict) or not written or not is_family(place_of(tokens)):
        return None
    members = components()[place_of(tokens)]
    name = next((name for name in NAMES_OF_TYPE if isinstance(written.get(name), str)), None)
    if name is not None:
        whole = _as_member(Said(document, written, name), place_of(tokens), str(written[name]))
        fits = any(_takes(member, whole) for member in members if type_of(member) == whole["type"])
        return Translation(f"it is {json.dumps(whole)} here", json_pointer(tokens), whole) if fits else None
    fitting = [member for member in members if _takes(member, written)]
    if len(fitting) != 1:
        return None
    whole = {"type": type_of(fitting[0]), **written}
    return Translation(f"with these fields it is {json.dumps(whole)}", json_pointer(tokens), whole)


def found(document: object, tokens: Tokens) -> object:
    """What stands there; None where nothing does."""
    for token in tokens:
        if isinstance(document, dict):
            document = document.get(str(token))
        elif isinstance(document, list) and str(token).isdecimal() and int(token) < len(document):
            document = document[int(token)]
        else:
            return None
    return document


def _placed(said: Said, above: Tokens, term: Term) -> Translation:
    """A field that is another one beside it, or stands elsewhere, or is not here."""
    if not isinstance(term.ours, str):
        converted = CONVERSIONS[term.value](said) if term.value else None
        # an activation that is none here, such as softmax, is explained as it is where it is written as a layer
        layer = translate_value(("layers", 0), {"layers": [said.written]}) if converted is None else None
        return layer or Translation(term.note.replace("{value}", "..." if converted is None else json.dumps(converted)))
    place = place_of(above)
    home, name = _home(term.ours, place)
    converted = _converted(said, term, f"{home}/{name}")
    member = _shown_in(home, name, said, beside=home == place)
    fits = converted is not None and _takes(member, {name: converted}, name)
    if home == place:
        example = f": {json.dumps(name)}: {json.dumps(converted)}" if fits else ""
        where = json_pointer([*above, name]) if fits else None
        return Translation(f"it is {name!r} here{example}{_note(term)}", where, converted if fits else None)
    if not fits:
        return Translation(f"it is {home}/{name} here{_note(term)}")
    kind = type_of(member)
    patch: Object = {name: converted} if kind is None else {"type": kind, name: converted}
    for token in reversed(home.split("/")[1:]):
        patch = {token: patch}
    return Translation(f"it is {home}/{name} here: {json.dumps(patch)}{_note(term)}", "", patch)


def _member(said: Said, above: Tokens, term: Term, subject: str) -> Translation:
    """A component that is another one here, with the fields of its object in our words."""
    if term.ours is None:
        return Translation(term.note)
    base: Object = dict(term.ours) if isinstance(term.ours, dict) else {"type": term.ours}
    whole, elsewhere = _rewritten(said, place_of(above), base)
    note = _note(term) + "".join(f"; {name!r} is {place} here" for name, place in elsewhere.items())
    kind = base["type"]
    member = next(each for each in components()[place_of(above)] if type_of(each) == kind)
    if not _takes(member, whole):
        return Translation(f"{subject} is {kind!r} here{note}")
    shown = repr(kind) if whole.keys() == {"type"} else json.dumps(whole)
    return Translation(f"{subject} is {shown} here{note}", json_pointer(above), whole)


def _rewritten(said: Said, place: str, base: Object) -> tuple[Object, dict[str, str]]:
    """The base with the other fields of the object as the component has them, and where those stand that it has not."""
    whole, elsewhere = dict(base), dict[str, str]()
    kind = base.get("type")
    own = _names(member for member in components()[place] if type_of(member) == kind)
    for name in said.owner:
        if name == "type":
            continue
        if letters(name) in own:
            whole.setdefault(own[letters(name)], said.owner[name])
            continue
        known = look_up(f"{place}={kind}", name, said.owner) or look_up(place, name, said.owner)
        term = known or look_up(ANYWHERE, name, said.owner) or _of_ours(name)
        if term is None or not isinstance(term.ours, str):
            continue
        home, ours = _home(term.ours, place)
        converted = _converted(said._replace(name=name), term, f"{home}/{ours}")
        if home != place:
            elsewhere[name] = f"{home}/{ours}"
        elif converted is not None:
            whole[ours] = converted
    return whole, elsewhere


def _as_member(said: Said, place: str, kind: str) -> Object:
    """The object as the member of the family that has this name, or is called so by others."""
    term = look_up(f"{place}/type", _word(kind), said.owner)
    ours = nearest(_word(kind), filter(None, map(type_of, components()[place]))) if term is None else term.ours
    rest = {name: value for name, value in said.owner.items() if name != said.name}
    base: Object = dict(ours) if isinstance(ours, dict) else {"type": ours}
    return _rewritten(said._replace(owner=rest), place, base)[0]


def _converted(said: Said, term: Term, target: str) -> JsonValue:
    """The value of a field in our words; None where it has none."""
    if term.value:
        return CONVERSIONS[term.value](said)
    written = said.written
    if isinstance(written, dict) and is_family(target):
        return _as_member(said._replace(owner=written, name="type"), target, str(written.get("type")))
    if isinstance(written, dict) and target in components():
        return _rewritten(said._replace(owner=written), target, {})[0]
    if not isinstance(written, str | int | None):
        return written
    known = look_up(_value_place(target), _word(written))
    if known is None:
        return written
    return None if isinstance(known.ours, str) and known.ours.startswith("/") else known.ours


def _shown_in(home: str, name: str, said: Said, *, beside: bool) -> type[Component]:
    """The component at a place that a field of it is shown in: the one that is written there, or the default."""
    having = [member for member in components()[home] if name in member.model_fields]
    written = said.owner if beside else found(said.document, home.split("/")[1:])
    kind = written.get("type") if isinstance(written, dict) else written
    default = _default(home)
    return next((m for m in having if type_of(m) == kind), default if default in having else having[0])


def _default(home: str) -> type[object]:
    value: object = JobSpec.model_validate({"data": {"train": "digits", "target": "label"}})
    for name in home.split("/")[1:]:
        value = getattr(value, name, None)
    return type(value)


def _takes(member: type[Component], fields: Object, name: str | None = None) -> bool:
    """Whether the component takes the fields, or at least this one of them, and they make no long text."""
    text = json.dumps(fields)
    if len(text) > LONGEST:
        return False
    try:
        member.model_validate_json(text, strict=True)
    except ValidationError as error:
        return name is not None and all(each["loc"][:1] != (name,) for each in error.errors())
    return True


def _names(members: Iterable[type[Component]]) -> dict[str, str]:
    return {letters(name): name for member in members for name in member.model_fields}


def _home(ours: str, place: str) -> tuple[str, str]:
    """The place of the object, and the name of its field."""
    home, _, name = (ours if ours.startswith("/") else f"{place}/{ours}").rpartition("/")
    return home, name


def _of_ours(name: str) -> Term | None:
    """A name of our own that stands in another place."""
    known = homes().get(letters(name))
    return None if known is None else Term(name, "", known)


def _word(written: str | int | None) -> str:
    """A value as the table has it: `nn.ReLU`, `true`, `32`."""
    return written.rpartition(".")[2] if isinstance(written, str) else json.dumps(written)


def _value_place(place: str) -> str:
    """Where the table has what is said in place of the value."""
    return f"{place}/type" if is_family(place) else f"{place}=" if place in components() else place


def _note(term: Term) -> str:
    return f"; {term.note}" if term.note else ""
