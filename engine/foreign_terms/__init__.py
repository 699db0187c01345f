"""What Keras, PyTorch, scikit-learn and the textbook call what a spec may say, by the place where they say it.

A key is the JSON pointer of an object, for the fields that it does not have, or of a value; `*` stands for any index,
`/layers/*=dropout` for one member of a family, `/regularization=` for what is no object where one should be, `**` for
any object at all. The first entry that applies counts.
"""

from collections.abc import Collection, Mapping
from functools import cache

from engine.foreign_terms import data, job, network, optimization
from engine.foreign_terms.term import Conversion, Term
from engine.spelling import letters

__all__ = ["TERMS", "Conversion", "Term", "look_up"]

TERMS: Mapping[str, tuple[Term, ...]] = {**network.TERMS, **optimization.TERMS, **data.TERMS, **job.TERMS}


def look_up(place: str, word: str, beside: Collection[str] = ()) -> Term | None:
    """The entry for a word that is said at a place, in an object with these fields."""
    entries = _by_letters().get(place, {}).get(letters(word), ())
    return next((term for term in entries if not term.beside or set(beside) & set(term.beside.split())), None)


@cache
def _by_letters() -> dict[str, dict[str, list[Term]]]:
    table: dict[str, dict[str, list[Term]]] = {}
    for place, terms in TERMS.items():
        for term in terms:
            for word in term.words.split():
                table.setdefault(place, {}).setdefault(letters(word), []).append(term)
    return table
