"""The shared library exports exactly the functions that holdfast.h declares with HF_API.

Usage: exports.py NM LIBRARY HEADER
A name too many is an internal that became part of the ABI; a name too few is a promise of the
header that nobody can link.
"""
import re
import subprocess
import sys


def exported(nm, library):
    """The names defined in the library's dynamic table, without the version node itself."""
    table = subprocess.run([nm, "-D", "--defined-only", library],
                           check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in table.splitlines()]
    return {row[-1].split("@")[0] for row in rows if row[-2] != "A"}


def declared(header):
    """The names of the functions that the header marks HF_API."""
    with open(header, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    text = re.sub(r"^#.*?(?<!\\)$", "", text, flags=re.S | re.M)
    return set(re.findall(r"\bHF_API\b[^;(]*?\b(hf_\w+)\s*\(", text))


def main():
    nm, library, header = sys.argv[1:]
    has, promised = exported(nm, library), declared(header)
    for name in sorted(has - promised):
        print(f"{library}: exports {name}, which holdfast.h does not declare: make it hidden")
    for name in sorted(promised - has):
        print(f"{header}: declares {name}, which the library does not export: define or remove it")
    print(f"{len(has & promised)} functions exported as declared")
    return 1 if has != promised or not has else 0


if __name__ == "__main__":
    sys.exit(main())
