"""Who is shown in a session of MMI: told by the names of its files, by session.xml, or by both."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from skfer.pictures import DatasetError, Problem

_ID = re.compile(r"^S?0*(\d+)$", re.IGNORECASE)


class Person(NamedTuple):
    """What a session tells of its subject; "" where it does not."""

    named: str  # the start of the names, such as S001
    given: str  # the id in session.xml, such as 1


def name_people(people: Sequence[Person], where: Sequence[str]) -> tuple[list[str], list[Problem]]:
    """Return one id for each person, "" where the two sources contradict each other, and why.

    One source is used throughout, since a person may have another id in each. Where none tells
    all, S001 and 1 are one.
    """
    torn, problems = _contradictions(people, where)
    sound = [person for person in people if person not in torn]
    if all(person.named for person in sound):
        ids = [person.named for person in people]
    elif all(person.given for person in sound):
        ids = [person.given for person in people]
    else:
        _refuse_other_numbers(sound)
        ids = [_plain(person.named or person.given) for person in people]
    return [
        "" if person in torn else name for person, name in zip(people, ids, strict=True)
    ], problems


def _contradictions(
    people: Sequence[Person], where: Sequence[str]
) -> tuple[set[Person], list[Problem]]:
    """Return the people of whom one source makes one and the other two, and what is wrong."""
    both = {person: i for i, person in reversed([*enumerate(people)]) if all(person)}
    same: dict[tuple[int, str], set[Person]] = defaultdict(set)
    for person in both:
        for source, name in enumerate(person):
            same[source, name].add(person)
    groups = [sorted(group, key=lambda person: both[person]) for group in same.values()]
    several = [group for group in groups if len(group) > 1]
    problems = [
        Problem(
            where[both[other]],
            f"subject {other.named} by its name and {other.given!r} by session.xml, but "
            f"{first.named} and {first.given!r} in {where[both[first]]}",
        )
        for first, *others in several
        for other in others
    ]
    return {person for group in several for person in group}, problems


def _refuse_other_numbers(people: Sequence[Person]) -> None:
    """Raise if ids of one source cannot stand for those of the other."""
    for person in people:
        if all(person) and _plain(person.named) != _plain(person.given):
            raise DatasetError(
                "some sessions tell their subject by names alone and some by session.xml alone, "
                "which count differently ({} is {}): a person might have two ids. Name the frames "
                "like S001-001_00001.png.",
                person.named,
                repr(person.given),
            )


def _plain(name: str) -> str:
    match = _ID.match(name)
    return name if match is None else f"S{int(match[1]):03d}"
