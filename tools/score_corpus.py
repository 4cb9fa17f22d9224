"""Diagnoses every case of tests/corpus and tests/real_texts, and scores the answers.

    python tools/score_corpus.py           writes docs/diagnosis-corpus.md
    python tools/score_corpus.py --check   fails where that file is stale
    python tools/score_corpus.py --list    names the cases that are not answered first, and what they were answered
    python tools/score_corpus.py CASE …    what is answered to these cases

An answer is the findings in the order in which `pfdoctor diagnose --log` tells them. Top-1: the first one is a cause
that the case expects, or an alternative to it; of two causes, the first two are. Top-3: they are among the first
three. What only follows (`allowed`) may stand anywhere and does not count as a place.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from pfdoctor import catalog
from pfdoctor.cli.gather import of_logs
from pfdoctor.collect import logs
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.model import Status
from pfdoctor.core.rule import Catalogue

ROOT = Path(__file__).resolve().parent.parent
CORPORA = (ROOT / "tests" / "corpus", ROOT / "tests" / "real_texts")
PAGE = ROOT / "docs" / "diagnosis-corpus.md"


class Case(NamedTuple):
    """A text and what a diagnosis of it has to come to; each of `expect` lists alternatives."""

    folder: Path
    title: str
    kind: str
    expect: tuple[tuple[str, ...], ...]
    allowed: frozenset[str]
    never: frozenset[str]
    source: str

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def texts(self) -> list[str]:
        """The files of the case; standing here they are given in the order of their names."""
        return [str(path) for path in sorted(self.folder.iterdir()) if path.name != "case.yaml"]


class Answer(NamedTuple):
    """What a case was answered: rules with their status, in the order of the report, each once."""

    case: Case
    rules: tuple[tuple[str, Status], ...]

    def place(self, alternatives: Sequence[str]) -> int | None:
        """The place, from 0, of the first of the alternatives among what is not merely allowed."""
        counted = [rule for rule, _ in self.rules if rule in alternatives or rule not in self.case.allowed]
        return next((place for place, rule in enumerate(counted) if rule in alternatives), None)

    def among(self, first: int) -> bool:
        """Whether every cause is among the first few; of two causes, among as many more."""
        if not self.case.expect:
            return not [rule for rule, status in self.rules if rule not in self.case.allowed and status.is_finding]
        room = first + len(self.case.expect) - 1
        # alternatives of another expected cause take no room of this one
        return all((place := self.place(one)) is not None and place < room for one in self.case.expect)

    @property
    def broken(self) -> tuple[str, ...]:
        """What is confirmed and must not be."""
        return tuple(rule for rule, status in self.rules if rule in self.case.never and status is Status.CONFIRMED)


def cases() -> Iterable[Case]:
    """Every case of both corpora."""
    for corpus in CORPORA:
        for path in sorted(corpus.glob("*/case.yaml")):
            raw = yaml.safe_load(path.read_text("utf-8"))
            wanted = raw["expect"]
            if corpus.name == "real_texts":
                wanted = [wanted] if wanted else []
            yield Case(
                path.parent,
                raw["title"],
                raw.get("kind") or ("real" if wanted else "real, healthy"),
                tuple(tuple([one] if isinstance(one, str) else one) for one in wanted),
                frozenset(raw.get("allowed", ())),
                frozenset(raw.get("ruled_out", ())) | frozenset(raw.get("never", ())),
                raw.get("source", "promptflow 1.18.5, run"),
            )


def answer(case: Case, catalogue: Catalogue) -> Answer:
    """The diagnosis of the case's texts alone."""
    read = logs.read(case.texts, catalogue.symptoms)
    result = diagnose(of_logs(read.logs), catalogue)
    return Answer(case, tuple({finding.rule: finding.status for finding in result.findings}.items()))


def page(answers: Sequence[Answer]) -> str:
    """docs/diagnosis-corpus.md."""
    lines = [
        "<!-- Made by tools/score_corpus.py. Edit the cases, the rules or the tool, not this file. -->",
        "",
        "# How well a text is diagnosed",
        "",
        "Texts as people have them (`tests/corpus`) and texts that the serving app of promptflow 1.18.5 really printed",
        "(`tests/real_texts`), each diagnosed alone, without files or Azure. *First*: the first finding is the cause",
        "(of two causes, the first two are); *first three*: it is among three. Of noise nothing may be found.",
        "",
        "| kind | cases | first | first three |",
        "|---|---|---|---|",
    ]
    for kind in dict.fromkeys(one.case.kind for one in answers):
        group = [one for one in answers if one.case.kind == kind]
        lines.append(f"| {kind} | {len(group)} | {_share(group, 1)} | {_share(group, 3)} |")
    lines += [
        "",
        "## Expected and answered",
        "",
        "One row for each cause that is expected and each rule that stood first; alternatives count as one cause.",
        "",
        "| expected | first answer | cases |",
        "|---|---|---|",
    ]
    for (wanted, got), count in sorted(Counter(_confusions(answers)).items()):
        lines.append(f"| {wanted} | {'✓' if wanted == got else got} | {count} |")
    missed = [one for one in answers if not one.among(1)]
    lines += ["", "## Not answered first", ""]
    for one in missed:
        first = ", ".join(rule for rule, _ in one.rules[:3]) or "nothing"
        wanted = "; ".join(" or ".join(names) for names in one.case.expect) or "nothing"
        lines.append(f"- `{one.case.name}`: expected {wanted}; answered {first}.")
    if not missed:
        lines.append("Every case is.")
    return "\n".join(lines) + "\n"


def _share(group: Sequence[Answer], first: int) -> str:
    right = sum(one.among(first) for one in group)
    return f"{right} ({100 * right / len(group):.1f} %)"


def _confusions(answers: Iterable[Answer]) -> Iterable[tuple[str, str]]:
    for one in answers:
        got = [rule for rule, _ in one.rules]
        if not one.case.expect:
            yield ("nothing", next((rule for rule in got if rule not in one.case.allowed), "nothing"))
        for number, alternatives in enumerate(one.case.expect):
            room = [rule for rule in got if rule in alternatives or rule not in one.case.allowed]
            right = one.place(alternatives)
            if right is not None and right < len(one.case.expect):
                yield (alternatives[0], alternatives[0])
            else:
                yield (alternatives[0], room[number] if number < len(room) else "nothing")


def main(arguments: Sequence[str]) -> int:
    """Writes the page, checks it, or lists what went wrong."""
    catalogue = catalog.load_full()
    names = [one for one in arguments if not one.startswith("-")]
    answers = [answer(case, catalogue) for case in cases() if not names or case.name in names]
    if names:
        for one in answers:
            print(one.case.name, *(f"  {status} {rule}" for rule, status in one.rules), sep="\n")
        return 0
    if "--list" in arguments:
        for one in answers:
            if not one.among(1) or one.broken:
                print(f"{one.case.name}: {one.case.expect} <- {[f'{rule} {status}' for rule, status in one.rules[:4]]}")
        return 0
    text = page(answers)
    if "--check" in arguments:
        if PAGE.is_file() and PAGE.read_text("utf-8") == text:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is stale: python tools/score_corpus.py", file=sys.stderr)
        return 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
