#!/usr/bin/env python3
"""Check that prose is plain English: docstrings, comments, messages, docs and test names. Part of `make lint`.

Print one line per finding and exit with 1 if there are any:

    gateway/turn.py:12: docstring opens with 'Whether': start with a verb or a noun phrase
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

SPELLING = "use American spelling"
#: Phrases that make a reader decode the sentence, and advice for each. CONTRIBUTING.md explains the style.
PHRASES = {
    r"(?:that|those)_of|of_which|the_ones?_that": "name the thing again",
    r"(?:is|are|was|were|been|be|to_be)_had": "say who has it",
    r"(?:some|no|any|every)body|who(?:so)?ever|whatever|whichever": "name the client, caller or thing",
    r"what_(?:is|are|was|were|has|had|comes?|came|goes|went)": "name the thing",
    r"anew": "say 'again'",
    r"for_ever": "say 'forever', or name the limit",
    r"besides": "say 'also'",
    r"meanwhile": "say what happens in that time, or drop it",
    r"(?:is|are|was|were)_(?-i:none)": "say 'there is no ...'",
    r"go(?:es)?_by|by_(?:it|them)sel(?:f|ves)": "say 'automatically', or name the cause",
    r"at_all": "drop it",
    r"tells?_of": "say 'reports', 'names' or 'lists'",
    r"no_longer_so|it_were|as_it_was": "use subject, verb and object",
    r"hereby|there(?:of|in|by)|where(?:in|of|by)|whilst": "use today's English",
    r"(?:requests?|messages?|tokens|calls|times|bytes|ms|seconds|MB|[KMG]iB)_an?_"
    r"(?:second|minute|hour|day|week|month|request|token|turn|worker|process|client|key)": "say 'per'",
    r"(?:behavi|col|fav|hon|neighb)our\w*|catalogues?|dialogues?|analogues?|licence[sd]?|centre[sd]?|grey": SPELLING,
    r"(?:organ|recogn|initial|serial|normal|summar|categor|minim|optim|synchron|author)is(?:e[sd]?|ing)": SPELLING,
}
GROUPS = "|".join(rf"(?P<g{number}>\b(?:{phrase})\b)" for number, phrase in enumerate(PHRASES))
#: The underscores above stand for white space: a phrase may cross a line break.
BANNED = re.compile(GROUPS.replace("_", r"\s+"), re.I)
ADVICE = list(PHRASES.values())
OPENING = re.compile(r"\s*(What(?:ever)?|Whether|Who(?:ever|se)?|How|Which|Where)\b(?![^.]*\?)")
#: Code in Markdown and in any text: fenced blocks, names in backticks, links, HTML tags.
FENCED = re.compile(r"^([ \t>]*)(`{3,}|~{3,}).*?^[ \t>]*\2|<!--.*?-->", re.M | re.S)
CODE = re.compile(
    r"(`+)(?:(?!\n\s*\n).)+?\1|\]\([^)\n]*\)|https?://\S+|\{[%{].*?[%}]\}|<[/a-z][^<>\n]*>", re.S
)
SKIPPED = re.compile(
    r"(?:^|/)(?:\.git|\.venv[\w-]*|\.claude-cli|\.\w+_cache|__pycache__|node_modules|data|htmlcov|build)/"
)
#: Files whose every line is read, code and comments alike.
PLAIN_TEXT = {".html", ".toml", ".yml", ".yaml", ".sh", ".conf", ".service", ".bat", ".example", ".in"}
PLAIN_NAMES = {"Makefile", "Dockerfile", ".ci/run", ".editorconfig"}
Finding = tuple[int, str]


def blank(pattern: re.Pattern[str], text: str) -> str:
    """Replace each match by an `x` of its own, keeping its line breaks."""
    return pattern.sub(lambda match: " x " + "\n" * match[0].count("\n"), text)


def find_phrases(text: str, line: int = 1) -> Iterator[Finding]:
    """Yield the banned phrases of a text that starts on `line`; a phrase may cross a line break."""
    text = blank(CODE, text)
    for match in BANNED.finditer(text):
        phrase, advice = " ".join(match[0].split()), ADVICE[int(str(match.lastgroup)[1:])]
        yield line + text.count("\n", 0, match.start()), f"{phrase!r}: {advice}"


def check_text(text: str, line: int) -> Iterator[Finding]:
    """Yield the faults of a docstring or comment: its opening word and its phrases."""
    if opening := OPENING.match(text):
        yield line, f"opens with {opening[1]!r}: start with a verb or a noun phrase"
    yield from find_phrases(text, line)


def check_docstring(text: str, line: int) -> Iterator[Finding]:
    """Yield the faults of a docstring: as of any text, and a first line without a period."""
    if not text.lstrip().partition("\n")[0].rstrip().endswith("."):
        yield line, "first line of the docstring does not end with a period"
    yield from check_text(text, line)


def check_comments(source: str) -> Iterator[Finding]:
    """Yield the faults of comments; those on consecutive lines are read as one text."""
    block: list[str] = []
    start = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last + 1:
            yield from check_text("\n".join(block), start)
            block, start = [], token.start[0]
        block.append(token.string.lstrip("#:! "))
        last = token.start[0]
    yield from check_text("\n".join(block), start)


def check_python(path: Path, source: str) -> Iterator[Finding]:
    """Yield the faults of a module: its docstrings, comments, names of tests and (but in tests) messages."""
    yield from check_comments(source)
    is_test = path.name.startswith("test_") or "tests" in path.absolute().parts
    docstrings: set[ast.AST] = set()
    for node in ast.walk(ast.parse(source)):  # parents come before their children
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            name = getattr(node, "name", "")
            if is_test and name.startswith("test_"):
                yield from find_phrases(name.replace("_", " "), node.lineno)  # type: ignore[union-attr]
            if (text := ast.get_docstring(node, clean=False)) is not None:
                first = node.body[0]
                docstrings.add(first.value)  # type: ignore[attr-defined]
                yield from check_docstring(text, first.lineno)
        elif not is_test and isinstance(node, ast.Constant) and node not in docstrings:
            text = node.value if isinstance(node.value, str) else ""
            yield from find_phrases(text if len(text.split()) > 2 else "", node.lineno)


def check_file(path: Path) -> list[Finding]:
    """Return the findings of one file as (line, message), in the order of its lines."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        return sorted(set(check_python(path, text)))
    return sorted(set(find_phrases(blank(FENCED, text) if path.suffix == ".md" else text)))


def find_files(paths: list[Path]) -> Iterator[Path]:
    """Yield the files with prose among paths and below folders."""
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            known = file.suffix in {".py", ".md"} | PLAIN_TEXT or file.as_posix().endswith(tuple(PLAIN_NAMES))
            if known and file.is_file() and not SKIPPED.search(file.as_posix()):
                yield file


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Check that prose is plain English.")
    parser.add_argument("paths", nargs="*", type=Path, default=[Path()], help="default: the whole project")
    found = 0
    for path in find_files(parser.parse_args().paths):
        for line, message in check_file(path):
            print(f"{path}:{line}: {message}")
            found += 1
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
