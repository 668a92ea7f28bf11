"""The positive control of tools/tidy.py: every rule complains about a tree that breaks it, at the
right place, and a good tree passes. A checker that finds nothing proves nothing.

Usage: control.py
"""
import os
import shutil
import subprocess
import sys
import tempfile

PROJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TIDY = os.path.join(PROJECT, "tools", "tidy.py")
OPENING = "/* An example. */\n"
HEADER = "/* An example. */\n#ifndef X_H\n#define X_H\n\n%s\n#endif\n"
LONG = "a" * 101
DEBT = "TO" + "DO"

GOOD = {
    "engine/good.h": HEADER % "/* Adds one. */\nint good_next(int value);\n",
    "engine/good.c": OPENING + '#include "engine/good.h"\n\n#include <string.h>\n\n'
                     "int good_next(int value)\n{\n    if (value < 0) goto out;\n"
                     '    value += (int)strlen("malloc(1)"); /* free( in words only */\n'
                     "out:\n    return value + 1;\n}\n",
    "engine/base/heap.c": OPENING + "#include <stdlib.h>\n\nvoid *heap_get(void)\n{\n"
                          "    return malloc(1);\n}\n",
    "tools/good.c": OPENING + '#include "runtime/loop.h"\n',
    "CMakeLists.txt": "# good\n",
}


def function(body):
    """A C file with one function of the given lines."""
    return OPENING + "void one(int a)\n{\n" + "".join(f"    {line}\n" for line in body) + "}\n"


INCLUDE = OPENING + '#include "%s"\n'
SYSTEM = OPENING + "#include <%s>\n"

# (what is broken, file, its text, the line complained about, a part of the complaint)
BAD = [
    ("engine looks up", "engine/a.c", INCLUDE % "logstore/log.h", 2, "it may know only"),
    ("base looks up", "engine/base/a.c", INCLUDE % "engine/x.h", 2, "it may know only"),
    ("indexes look up", "indexes/a.c", INCLUDE % "logstore/x.h", 2, "it may know only"),
    ("logstore looks aside", "logstore/a.c", INCLUDE % "runtime/x.h", 2, "it may know only"),
    ("runtime looks aside", "runtime/a.c", INCLUDE % "logstore/x.h", 2, "it may know only"),
    ("suite knows store", "tests/conformance/a.c", INCLUDE % "logstore/x.h", 2, "may know only"),
    ("include without room", "engine/a.c", INCLUDE % "x.h", 2, "from the project root"),
    ("internal header", "tools/a.c", INCLUDE % "runtime/x_internal.h", 2, "internal to"),
    ("engine knows libuv", "engine/a.c", SYSTEM % "uv.h", 2, "must not know uv.h"),
    ("engine knows LMDB", "engine/a.c", SYSTEM % "lmdb.h", 2, "must not know lmdb.h"),
    ("header knows libuv", "include/a.h", HEADER % "#include <uv.h>\n", 5, "must not know uv.h"),
    ("runtime knows LMDB", "runtime/a.c", SYSTEM % "lmdb.h", 2, "must not know lmdb.h"),
    ("wide C", "engine/a.c", OPENING + f"/* {LONG} */\n", 2, "columns"),
    ("wide CMake", "cmake/a.cmake", f"# {LONG}\n", 1, "columns"),
    ("wide script", "tools/a.sh", f"# {LONG}\n", 1, "columns"),
    ("tab", "cmake/a.cmake", "if(A)\n\tset(B)\nendif()\n", 2, "a tab"),
    ("trailing blank", "tools/a.sh", "true \n", 1, "blanks at the end"),
    ("unfinished line", "tools/a.sh", "true", 1, "the last line"),
    ("debt", "engine/a.c", OPENING + f"/* {DEBT}: later. */\n", 2, "a stray"),
    ("no opening", "engine/a.c", "#include <string.h>\n", 1, "no opening comment"),
    ("naked prototype", "engine/a.h", HEADER % "int one(int a,\n        int b);\n", 5,
     "without a comment"),
    ("second prototype", "engine/a.h", HEADER % "/* Both. */\nint one(void);\nint two(void);\n",
     7, "without a comment"),
    ("long function", "engine/a.c", function(["a();"] * 98), 2, "a function of 101 lines"),
    ("second label", "engine/a.c", function(["goto fail;", "fail:", "return;"]), 4, "goto fail"),
    ("body below", "engine/a.c", function(["if (a &&", "    b)", "    c();"]), 4, "without braces"),
    ("layout", "engine/a.c", OPENING + "int  a;\n", 2, "clang-format -i"),
]
BANNED = ["malloc(1)", "calloc(1, 1)", "realloc(0, 1)", "free(0)", "strdup(a)", "strcpy(a, b)",
          "strcat(a, b)", "sprintf(a, b)", "gets(a)", "rand()", "time(0)"]
for room in ["engine", "indexes", "logstore", "runtime"]:
    BAD += [(f"banned in {room}", f"{room}/a.c", function([f"{call};"]), 4,
             f"calls {call.split('(')[0]}:") for call in BANNED]


def tidy(files, environment=None):
    """Runs tidy over a tree of the given files; returns its exit status and its lines."""
    with tempfile.TemporaryDirectory() as root:
        shutil.copy(os.path.join(PROJECT, ".clang-format"), root)
        for path, text in files.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        run = subprocess.run([sys.executable, TIDY, root], capture_output=True, text=True,
                             check=False, env=environment)
        return run.returncode, run.stdout.splitlines() + run.stderr.splitlines()


def main():
    status, lines = tidy(GOOD)
    failures = [] if status == 0 else [f"the good tree: {line}" for line in lines]
    for name, path, text, number, part in BAD:
        status, lines = tidy({**GOOD, path: text})
        seen = [line for line in lines if line.startswith(f"{path}:{number}: ") and part in line]
        if status != 1 or not seen:
            failures.append(f"{name}: no complaint about {path}:{number} with '{part}': {lines}")
    status, lines = tidy(GOOD, {**os.environ, "PATH": ""})
    if status != 1 or not any("clang-format is not installed" in line for line in lines):
        failures.append(f"no complaint about a missing clang-format: {lines}")
    print("\n".join(failures + [f"{len(BAD)} bad trees, {len(failures)} failures"]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
