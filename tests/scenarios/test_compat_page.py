# SPDX-License-Identifier: Apache-2.0
# docs/stunnel-compat.md keeps its word: a row for every option, a verdict and a test in every row, true counts.
import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = "docs/stunnel-compat.md"
HEADING = "| | verdict | here | test |"
VERDICTS = ["same", "better", "no effect", "refused", "new"]


class Row:
    def __init__(self, number, line):
        self.number, self.cells = number, [cell.strip() for cell in line.strip().strip("|").split("|")]
        self.form = len(self.cells) == 4
        self.subject, self.verdict, self.text, self.tests = self.cells if self.form else ["", "", "", ""]

    def options(self):
        """A subject that is names between backticks and nothing else is about options."""
        whole = re.fullmatch(r"`[A-Za-z]\w+`(, `[A-Za-z]\w+`)*", self.subject)
        return {name.lower() for name in re.findall(r"`(\w+)`", self.subject)} if whole else set()

    def protocols(self):
        return set(re.findall(r"`protocol = ([\w-]+)`", self.subject))


def read_rows(text):
    rows, inside = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            inside = False
        elif line == HEADING:
            inside = True
        elif inside and not line.startswith("|---"):
            rows.append(Row(number, line))
    return rows


def counts(rows):
    """How often each verdict is there."""
    return {verdict: sum(row.verdict == verdict for row in rows) for verdict in VERDICTS}


@pytest.fixture(scope="module")
def page():
    return (ROOT / PAGE).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(page):
    return read_rows(page)


@pytest.fixture(scope="module")
def known_tests():
    """Every test that is run, as the page writes it: `FILE` and the function's name in words."""
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(in_words(path, node.name[5:]))
    for path in (ROOT / "tests").rglob("test_*.c"):
        for name in re.findall(r"^(\w+)\(void \*\*state\)$", path.read_text(encoding="utf-8"), re.M):
            found.add(in_words(path, name))
    return found


def in_words(path, function):
    return f"`{path.stem[5:]}` {function.replace('_', ' ')}"


@pytest.fixture
def options(scene):
    """Every option of the program's tables."""
    return re.findall(r"^(\w+) += ", scene.run("-help").stderr, re.M)


@pytest.fixture(scope="module")
def reference():
    """The options of stunnel, as tests/unit/test_reference.c lists them."""
    source = (ROOT / "tests/unit/test_reference.c").read_text(encoding="utf-8")
    return re.findall(r'"(\w+)"', re.search(r"reference\[\] = \{(.*?)\};", source, re.S)[1])


def test_every_row_has_a_verdict_and_says_something(rows):
    assert rows
    assert [(r.number, r.cells) for r in rows if not r.form or not r.subject or not r.text] == []
    assert [(r.number, r.verdict) for r in rows if r.verdict not in VERDICTS] == []


def test_no_subject_is_there_twice(rows):
    subjects = [r.subject for r in rows if not r.subject.startswith("…")]
    assert sorted({s for s in subjects if subjects.count(s) > 1}) == []


def test_the_tests_behind_each_row_exist(rows, known_tests):
    assert [(r.number, r.subject, t) for r in rows for t in r.tests.split("; ") if t not in known_tests] == []


def test_the_counts_are_true(page, rows):
    """They stand in the table at the top."""
    top = page.split("\n## ")[0]
    assert {verdict: int(n) for verdict, n in re.findall(r"^\| ([a-z ]+) \| (\d+) \|", top, re.M)} == counts(rows)


def test_every_option_has_a_row_and_every_row_an_option(rows, options, reference):
    assert len(options) > 100 and len(reference) > 80
    named = set().union(*(r.options() for r in rows))
    known = {name.lower() for name in [*options, *reference]}
    assert (sorted(known - named), sorted(named - known)) == ([], [])


def test_every_protocol_has_a_row_and_every_row_a_protocol(rows, scene):
    refused = scene.run("check", scene.file("x.conf", "protocol = nonsense\n")).stderr
    names = re.search(r"write one of ([\w, -]+)", refused)[1].split(", ")
    assert len(names) > 15
    assert set().union(*(r.protocols() for r in rows)) == set(names)


def test_verdicts_agree_with_the_tables(rows, options, reference):
    """What stunnel has not is new, and nothing else; no option as a whole is refused."""
    names = {name.lower() for name in reference}
    assert [(r.number, name) for r in rows for name in r.options() if (r.verdict == "new") == (name in names)] == []
    assert [(r.number, r.subject) for r in rows if r.options() and r.verdict == "refused"] == []


def test_the_advice_of_check_migrate_agrees(rows):
    """What it calls better is better here, and what it says to have no effect has none."""
    source = (ROOT / "src/app/migrate.c").read_text(encoding="utf-8")
    advice = re.findall(r'\{ "(\w+)", [^{}]*?\b(SAME|BETTER|CHANGE),\s*"(.*?)"', source, re.S)
    assert len(advice) > 30
    verdicts = {name: row.verdict for row in rows for name in row.options()}
    wrong = []
    for name, verdict, why in advice:
        here = verdicts[name.lower()]
        if here != "no effect" and (why.startswith("has no effect") or (verdict == "BETTER" and here != "better")):
            wrong.append((name, verdict, here))
    assert wrong == []


# --- the checks can fail


@pytest.mark.parametrize("line", ["| `x` | same | text |", "| `x` | equal | text | `a` b |", "| | same | text | `a` b |"])
def test_a_bad_row_is_seen(line):
    rows = read_rows(f"{HEADING}\n|---|---|---|---|\n{line}\n")
    assert len(rows) == 1
    with pytest.raises(AssertionError):
        test_every_row_has_a_verdict_and_says_something(rows)


def test_a_missing_test_is_seen(known_tests):
    row = "| `x` | same | text | `compat_page` a missing test is{} seen |"
    test_the_tests_behind_each_row_exist([Row(1, row.format(""))], known_tests)
    with pytest.raises(AssertionError):
        test_the_tests_behind_each_row_exist([Row(1, row.format(" not"))], known_tests)
    with pytest.raises(AssertionError):
        test_the_tests_behind_each_row_exist([Row(1, "| `x` | same | text | |")], known_tests)


def test_other_tables_are_no_rows():
    assert read_rows("| option | ask |\n|---|---|\n| `verify = 0` | yes |\n") == []
