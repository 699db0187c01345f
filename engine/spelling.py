"""What a mistyped name was probably meant to be."""

from collections.abc import Iterable
from difflib import SequenceMatcher

SHORT = 5  # letters of a word in which one slip is all that is believed
LIKE = 0.6  # the least share of letters that a slip leaves in place


def letters(name: str) -> str:
    """The name without case and punctuation, which differ between libraries: LeakyReLU is leaky_relu."""
    return "".join(character for character in name.casefold() if character.isalnum())


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is meant where case, punctuation, a slip or two, or a cut end explain the difference."""
    word = letters(name)
    by_letters = {letters(each): each for each in reversed(list(known))}  # the first of those that read alike
    by_letters.pop("", None)
    if word in by_letters:
        return by_letters[word]
    likeness = _likeness_to(word, by_letters)
    if likeness:
        return by_letters[max(likeness, key=lambda each: likeness[each])]
    longer = [each for each in by_letters if len(word) > 2 and each.startswith(word)]
    return by_letters[min(longer, key=len)] if longer else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest of the known names, else the first ones that are allowed."""
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return f"Did you mean {near!r}?"
    listed = ", ".join(map(repr, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return f"There is {listed or 'none'}."


def _likeness_to(word: str, others: Iterable[str]) -> dict[str, float]:
    """The share of letters in common with each word from which no more than slips of the hand lead here."""
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(word)
    found: dict[str, float] = {}
    for other in others:
        slips = 1 if min(len(word), len(other)) <= SHORT else 2
        if abs(len(word) - len(other)) > 2 * slips:
            continue
        matcher.set_seq1(other)
        if matcher.quick_ratio() < LIKE:
            continue
        in_common = sum(block.size for block in matcher.get_matching_blocks())
        alone = len(word) + len(other) - 2 * in_common  # a slip leaves one letter without a partner, or two
        if alone <= 2 * slips and matcher.ratio() >= LIKE:
            found[other] = matcher.ratio()
    return found
