"""Names as sets of words: taken apart, written in Latin, and compared in any order.

A name is what is left without particles and titles. Two names are alike as far as their words
are; a word that only one side has is a name given in part, words that both sides have left over
are two different people.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from casevault.matching import lexicon, scripts, sounds, text

_MAX_PARTS = 6
_FUSED_ABD = re.compile(r"^abd(?:[aeou]*l|[aeou]+(?=([rsnzdt])\1)|o?u(?=r))(?=[a-z]{3})")
_ABD_ALLAH = re.compile(r"^abd[aeou]*l{1,2}a(?:h|ye|i)?$")
_FUSED_ARTICLE = re.compile(r"^[ae]l(?=[b-df-hj-np-tv-z][a-z]{3})")
_SURNAME_ENDINGS = (
    (re.compile(r"(?:sk|ck|zk|tsk)(?:yi|yj|ij|iy|ii|yy|y|i|aia|aja|aya|a|oj|oi|oy|ogo)$"), "ski"),
    (re.compile(r"(ov|ev|iv|yev|iev|off|eff|in|yn)a$"), r"\1"),
)
_ABD = frozenset({"abd", "abdul", "abdel", "abdal", "abdou", "abdoul", "abdur", "abdu", "abdus"})
_GLUED = frozenset({"eldin", "aldin", "uddin", "eddine", "din", "deen", "addin", "dine", "dyn"})
_FUSED_DIN = re.compile(r"[aeu](?:dd|ld)[iye]+ne?$")


@dataclass(frozen=True, slots=True)
class Part:
    """A word of a name in Latin letters; `bare` if its script leaves short vowels out."""

    letters: str
    bare: bool = False

    def __str__(self) -> str:
        return "~" + self.letters if self.bare else self.letters


Name = tuple[Part, ...]


def parts(name: str) -> Name:
    """Return the words of a name that tell who somebody is, in the order given."""
    latin = [one for word in text.words(name) for one in scripts.latin(word)]
    found = [_plain(one) for one in latin]
    joined = _joined(found)
    kept = [one for one in joined if one.letters not in lexicon.TITLES]
    # Somebody may well be called that.
    kept = kept if len(kept) > 1 else joined
    core = [one for place, one in enumerate(kept) if not _is_particle(one, place, len(kept))]
    return tuple((core or kept)[:_MAX_PARTS])


@functools.lru_cache(maxsize=1 << 15)
def likeness(one: Part, other: Part) -> float:
    """Return how alike two words of names are: 1 the same, 0 nothing to do with each other."""
    a, b = one.letters, other.letters
    if a == b:
        return 1.0
    if min(len(a), len(b)) == 1:
        return 0.6 if a[0] == b[0] else 0.0
    if a.startswith("abd") and b.startswith("abd") and min(len(a), len(b)) > 5:
        # "Servant of" is common to all of them; of whom, tells one from another.
        return likeness(Part(a[3:], one.bare), Part(b[3:], other.bare))
    related = lexicon.related(a, b)
    if related:
        return 0.95
    told_apart = not (one.bare or other.bare) and not sounds.share_letters(a, b)
    if told_apart or not sounds.are_worth_comparing(_heard(one), _heard(other)):
        return max(_mistyped(one, other), _shortened(a, b))
    sounding = _sounding(one, other)
    if related is False:
        # Two names, unless a clerk could have heard either for the other.
        return 0.8 * sounding if sounding > _UNHEARD else 0.2
    return max(sounding, _mistyped(one, other), _shortened(a, b))


_UNHEARD = 0.96


def _heard(one: Part) -> tuple[str, ...]:
    return sounds.classes(one.letters, bare=one.bare)


@dataclass(frozen=True, slots=True)
class Alike:
    """How alike two names are, how many words of weight met, and whether words stand against."""

    score: float
    met: float
    against: bool


NOTHING = Alike(0.0, 0.0, False)


def alike(one: Name, other: Name) -> Alike:
    """Compare two names in any order, also where one of them is written as one word."""
    if not one or not other:
        return NOTHING
    best = _paired(one, other)
    if len(one) != len(other) and best.score < 0.95:
        for left, right in ((_merged(one), (other,)), ((one,), _merged(other))):
            for a in left:
                for b in right:
                    best = max(best, _paired(a, b), key=lambda found: found.score)
    return best


def _merged(name: Name) -> Iterable[Name]:
    """Yield a name with two neighbouring words written as one."""
    for place in range(len(name) - 1):
        left, right = name[place], name[place + 1]
        fused = Part(left.letters + right.letters, left.bare or right.bare)
        yield (*name[:place], fused, *name[place + 2 :])


def _paired(one: Name, other: Name) -> Alike:
    pairs = sorted(
        ((likeness(a, b), i, j) for i, a in enumerate(one) for j, b in enumerate(other)),
        key=lambda found: (-found[0], abs(found[1] - found[2])),
    )
    mine, theirs = _weights(one), _weights(other)
    score = met = 0.0
    left, right = set(range(len(one))), set(range(len(other)))
    weighed = 0.0
    for sim, i, j in pairs:
        if sim < _MEETS or i not in left or j not in right:
            continue
        weight = min(mine[i], theirs[j])
        left.discard(i)
        right.discard(j)
        score += weight * sim
        weighed += weight
        if sim >= _CARRIES and min(len(one[i].letters), len(other[j].letters)) > 1:
            met += weight
    missing, extra = sum(mine[i] for i in left), sum(theirs[j] for j in right)
    against = min(missing, extra)
    if not weighed:
        return NOTHING
    spare = abs(missing - extra)
    total = score / (weighed + 1.2 * against) - 0.03 * spare
    is_against = against >= _STANDS_AGAINST or _other_sex(one, other)
    return Alike(max(0.0, min(total, _AGAINST if is_against else 1.0)), met, is_against)


_MEETS, _CARRIES, _STANDS_AGAINST, _AGAINST = 0.5, 0.6, 0.8, 0.66


def _other_sex(one: Name, other: Name) -> bool:
    """Say whether one name has the Vietnamese middle word of women, the other that of men."""
    middle = [{part.letters for part in name[1:]} & {"thi", "van"} for name in (one, other)]
    return len(one) > 2 and len(other) > 2 and middle in ([{"thi"}, {"van"}], [{"van"}, {"thi"}])


def _weights(name: Name) -> list[float]:
    return [lexicon.weight(one.letters, len(name)) for one in name]


def _sounding(one: Part, other: Part) -> float:
    if other.bare and not one.bare:
        one, other = other, one
    bare = one.bare and not other.bare
    apart, length = min(
        (
            sounds.distance(a, b, bare=bare) + _UNLIKELY * (bool(i) + bool(j)) + _begun(a, b),
            (len(a) + len(b)) / 2,
        )
        for i, a in enumerate(_readings(one))
        for j, b in enumerate(_readings(other))
    )
    return max(0.0, 1.0 - apart * _PER_SOUND / max(length, 1.0) * (1 + _SHORT / length**2))


# Of two or three letters, one other sound is another word.
_PER_SOUND, _SHORT, _UNLIKELY, _FIRST = 1.6, 3.0, 0.12, 0.6


def _begun(one: str, other: str) -> float:
    """What it costs to begin with another sound: hardly anybody mistypes the first letter."""
    return _FIRST if sounds.is_other(one[:1], other[:1]) else 0.0


def _readings(one: Part) -> tuple[str, ...]:
    plain = one.letters
    for ending, instead in _SURNAME_ENDINGS:
        if len(plain) > 5 and not one.bare:
            plain = ending.sub(instead, plain)
    return sounds.readings(plain, bare=one.bare)


def _mistyped(one: Part, other: Part) -> float:
    """One slip of a finger in a longer word: a letter more, less or other, or two changed over."""
    a, b = one.letters, other.letters
    if one.bare != other.bare or abs(len(a) - len(b)) > 1 or min(len(a), len(b)) < 5:
        return 0.0
    start = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    rest_a, rest_b = a[start:], b[start:]
    one_edit = rest_a[1:] == rest_b[1:] or rest_a[1:] == rest_b or rest_a == rest_b[1:]
    swapped = rest_a[:2] == rest_b[:2][::-1] and rest_a[2:] == rest_b[2:]
    if swapped:
        return 0.88
    return (0.8 if min(len(a), len(b)) < 7 else 0.86) if one_edit else 0.0


def _shortened(a: str, b: str) -> float:
    """A name cut short by a form or a clerk: "Alex" for "Alexandros"."""
    short, full = sorted((a, b), key=len)
    return 0.72 if len(short) >= 4 and full.startswith(short) and len(full) - len(short) <= 6 else 0


def _is_particle(one: Part, place: int, of: int) -> bool:
    # "Ben" and "Le" at the beginning or at the end are names.
    inside = 0 < place < of - 1
    return of > 1 and one.letters in (lexicon.PARTICLES if inside else ("al", "el"))


def _plain(one: scripts.Latin) -> Part:
    letters = _FUSED_DIN.sub("din", one.letters) if len(one.letters) > 6 else one.letters
    if one.article and len(letters) > 4:
        letters = letters[2:]
    elif not one.bare and len(letters) > 6 and letters not in lexicon.groups():
        letters = _FUSED_ARTICLE.sub("", letters)
    if _ABD_ALLAH.match(letters) or (one.bare and letters in ("abdallh", "abdllh", "abdalh")):
        return Part("abdallah")
    if letters.startswith("abd") and len(letters) > 6:
        letters = "abd" + _FUSED_ABD.sub("", letters) if _FUSED_ABD.match(letters) else letters
        letters = re.sub(r"^abdal(?=[a-z]{3})", "abd", letters) if one.bare else letters
    return Part(letters, one.bare)


def _joined(found: list[Part]) -> list[Part]:
    """Bring together what is one name: "Abd al-Rahman", "Noor-ud-Din"."""
    done: list[Part] = []
    place = 0
    while place < len(found):
        one = found[place]
        place += 1
        if one.letters in _ABD and place < len(found):
            while place < len(found) - 1 and found[place].letters in lexicon.PARTICLES:
                place += 1
            rest = found[place]
            place += 1
            if rest.letters in ("allah", "ullah", "lah", "llh", "allh", "lh"):
                done.append(Part("abdallah"))
            else:
                done.append(Part("abd" + rest.letters, one.bare or rest.bare))
        elif one.letters in _GLUED and done:
            while len(done) > 1 and done[-1].letters in lexicon.PARTICLES:
                done.pop()
            done[-1] = Part(done[-1].letters + "din", done[-1].bare or one.bare)
        else:
            done.append(one)
    return done
