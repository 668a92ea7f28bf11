#!/usr/bin/env python3
"""tidy: checks the form of the tree, so that no reader has to.

Usage: tools/tidy.py [ROOT]
Each complaint is one line, `file:line: what is wrong: what to do`; the exit status is 1 when there
was one. The rules are the functions below; tests/tidy/control.py breaks each of them on purpose.
"""
import collections
import os
import re
import subprocess
import sys

WIDTH_MAX = 100
FUNCTION_LINES_MAX = 100

# What the files of a room may include, and which outside headers they must not know.
ALLOWED = {
    "include": {"include"},
    "engine/base": {"include", "engine/base"},
    "engine": {"include", "engine/base", "engine"},
    "indexes": {"include", "engine/base", "engine", "indexes"},
    "logstore": {"include", "engine/base", "engine", "indexes", "logstore"},
    "runtime": {"include", "engine/base", "engine", "runtime"},
    "tools": {"include", "engine/base", "engine", "indexes", "logstore", "runtime", "tools"},
    "examples": {"include"},
    # Whatever store is under the suite: only subject.c knows which.
    "tests/conformance": {"include", "engine/base", "engine", "tests", "tests/conformance"},
}
HIDDEN = {
    "include": {"uv.h", "lmdb.h", "pthread.h"},
    "engine/base": {"uv.h", "lmdb.h", "pthread.h"},
    "engine": {"uv.h", "lmdb.h", "pthread.h"},
    "indexes": {"uv.h"},
    "logstore": {"uv.h"},
    "runtime": {"lmdb.h"},
    "examples": {"lmdb.h"},
}

LIBRARY_ROOMS = {"engine", "indexes", "logstore", "runtime"}
BANNED = {
    "malloc": "use hf_heap or an arena",
    "calloc": "use hf_heap or an arena",
    "realloc": "use hf_heap or an arena",
    "free": "use hf_heap or an arena",
    "strdup": "copy into an arena",
    "strndup": "copy into an arena",
    "alloca": "use an arena",
    "strcpy": "use memcpy with a checked size",
    "strcat": "use snprintf with the size of the buffer",
    "sprintf": "use snprintf with the size of the buffer",
    "vsprintf": "use vsnprintf with the size of the buffer",
    "gets": "use fgets",
    "rand": "use the randomness given at open",
    "srand": "use the randomness given at open",
    "time": "use the clock given at open",
}

File = collections.namedtuple("File", "path room text lines code")


# ---- reading the tree ----------------------------------------------------------------------------
def kind_of(path):
    """c, cmake, script or text: which rules look at the file; None for a file of no concern."""
    name = os.path.basename(path)
    if name.endswith((".c", ".h", ".cpp")):
        return "c"
    if name == "CMakeLists.txt" or name.endswith(".cmake"):
        return "cmake"
    if name.endswith((".sh", ".py")) or path == os.path.join(".ci", "run"):
        return "script"
    return "text" if name.endswith((".md", ".json", ".map", ".in")) else None


def room_of(path):
    """The room that owns a file or an include: its folder; two have a room of their own inside."""
    if path.startswith("engine/base/"):
        return "engine/base"
    if path.startswith("tests/conformance/") and path != "tests/conformance/subject.c":
        return "tests/conformance"
    return path.split("/")[0] if "/" in path else ""


def blank(text):
    """C text with comments, strings and characters turned to spaces: line numbers stay."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def read_tree(root):
    """All files with a kind, in order; build folders and hidden folders but .ci are left out."""
    tree = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders
                            if (f == ".ci" or not f.startswith("."))
                            and not re.match(r"(build|install|__pycache__)", f))
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root)
            kind = kind_of(path)
            if kind:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    text = file.read()
                code = blank(text).split("\n") if kind == "c" else []
                tree.append((kind, File(path, room_of(path), text, text.split("\n"), code)))
    return tree


# ---- rules for every file ------------------------------------------------------------------------
def rule_blanks(file):
    for number, line in enumerate(file.lines, 1):
        if "\t" in line:
            yield number, "a tab: indent with spaces"
        if line != line.rstrip():
            yield number, "blanks at the end of the line: remove them"
    if file.text and not file.text.endswith("\n"):
        yield len(file.lines), "the last line has no end: add a newline"


def rule_width(file):
    for number, line in enumerate(file.lines, 1):
        if len(line) > WIDTH_MAX:
            yield number, f"{len(line)} columns: break the line before column {WIDTH_MAX + 1}"


def rule_debts(file):
    debt = re.compile(r"\b(" + "|".join(["FIX" + "ME", "TO" + "DO", "XX" + "X"]) + r")\b")
    for number, line in enumerate(file.lines, 1):
        match = debt.search(line)
        if match:
            yield number, f"a stray {match.group()}: do it now, or write it down as an issue"


# ---- rules for C ---------------------------------------------------------------------------------
def rule_opening(file):
    if not file.text.startswith(("/*", "//")):
        yield 1, "no opening comment: say what the file is, and what it is not"


def rule_includes(file):
    for number, line in enumerate(file.lines, 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        quoted, target = match.group(1) == '"', match.group(2)
        room = room_of(target)
        if target in HIDDEN.get(file.room, ()):
            yield number, f"{file.room}/ must not know {target}: move the use to the room that may"
        elif not quoted or target == "holdfast.h":
            continue
        elif not room:
            yield number, f'"{target}": write the path from the project root'
        elif room not in ALLOWED.get(file.room, {room}):
            allowed = ", ".join(sorted(ALLOWED[file.room]))
            yield number, f"{file.room}/ includes {target}: it may know only {allowed}"
        elif target.endswith("_internal.h") and room != file.room and file.room in ALLOWED:
            yield number, f"{target} is internal to {room}/: use what the room offers outside"


def rule_banned(file):
    """Library rooms take memory, time and chance from their handles, so tests can steer them."""
    if file.room not in LIBRARY_ROOMS:
        return
    call = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
    for number, line in enumerate(file.code, 1):
        for match in call.finditer(line):
            yield number, f"calls {match.group(1)}: {BANNED[match.group(1)]}"


def rule_prototypes(file):
    """Every prototype of a header stands directly below its contract."""
    if not file.path.endswith(".h"):
        return
    begin = re.compile(r"(?!typedef\b|static\b)[A-Za-z_][\w *]*\(")
    number = 0
    while number < len(file.code):
        first, text = number, file.code[number]
        number += 1
        if not begin.match(text):
            continue
        while not re.search(r"[;{]", text) and number < len(file.code):
            text += file.code[number]
            number += 1
        is_prototype = re.search(r"[;{]", text) and "{" not in text.split(";")[0]
        if is_prototype and (first == 0 or not file.lines[first - 1].rstrip().endswith("*/")):
            yield first + 1, "a prototype without a comment directly above: write its contract"


def rule_function_size(file):
    """A function is what stands between a brace alone in column 1 and its partner."""
    begin = None
    for number, line in enumerate(file.code, 1):
        if line.rstrip() == "{":
            begin = number
            while begin > 1 and re.match(r"[^#]*[^;}#\s]\s*$", file.code[begin - 2]):
                begin -= 1
        elif line.rstrip() == "}" and begin:
            size = number - begin + 1
            if size > FUNCTION_LINES_MAX:
                yield begin, f"a function of {size} lines: split it ({FUNCTION_LINES_MAX} at most)"
            begin = None


def rule_labels(file):
    for number, line in enumerate(file.code, 1):
        for match in re.finditer(r"\bgoto\s+(\w+)", line):
            if match.group(1) != "out":
                yield number, f"goto {match.group(1)}: the one cleanup label is `out`"


def rule_braces(file):
    """A body without braces sits on the line of its if, else, for or while."""
    head = re.compile(r"\s*(?:}\s*)?(else if|else|if|for|while)\b(.*)")
    for number, line in enumerate(file.code, 1):
        match = head.match(line)
        if not match or re.match(r"\s*}\s*while\b", line):
            continue
        rest, last = match.group(2), number
        while match.group(1) != "else" and rest.count("(") > rest.count(")"):
            if last >= len(file.code):
                break
            rest += file.code[last]
            last += 1
        rest = rest.replace("\\", " ").rstrip()
        ends_open = rest == "" if match.group(1) == "else" else rest.endswith(")")
        if ends_open and rest.count("(") == rest.count(")"):
            yield number, "a body on a line of its own without braces: add them"


def check_format(root, files):
    """clang-format decides about layout; a missing clang-format is a complaint, not a pass."""
    paths = [file.path for file in files]
    if not paths:
        return
    try:
        run = subprocess.run(["clang-format", "--dry-run", "--Werror", "--style=file"] + paths,
                             cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        yield "tools/tidy.py", 1, "clang-format is not installed: run tools/setup.sh"
        return
    found = collections.defaultdict(list)
    for match in re.finditer(r"^(.+?):(\d+):\d+: error: code should be", run.stderr, flags=re.M):
        found[match.group(1)].append(int(match.group(2)))
    for path, lines in found.items():
        yield path, min(lines), f"not as clang-format has it: run clang-format -i {path}"
    if run.returncode != 0 and not found:
        yield ".clang-format", 1, f"clang-format failed: {run.stderr.strip()}"


RULES = {
    "c": [rule_blanks, rule_width, rule_debts, rule_opening, rule_includes, rule_banned,
          rule_prototypes, rule_function_size, rule_labels, rule_braces],
    "cmake": [rule_blanks, rule_width, rule_debts],
    "script": [rule_blanks, rule_width, rule_debts],
    "text": [rule_blanks, rule_debts],
}


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    tree = read_tree(root)
    complaints = [(file.path, number, text) for kind, file in tree
                  for rule in RULES[kind] for number, text in rule(file)]
    complaints += check_format(root, [file for kind, file in tree if kind == "c"])
    for path, number, text in sorted(complaints):
        print(f"{path}:{number}: {text}")
    print(f"tidy: {len(tree)} files, {len(complaints)} complaints")
    return 1 if complaints or not tree else 0


if __name__ == "__main__":
    sys.exit(main())
