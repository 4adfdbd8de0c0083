#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make one document of the page's sources, and C of the document.

  assemble.py page.html OUT.html OUT.c

What page.html links (one style sheet, scripts in their order) is put into it, in
their place; before the scripts the names of common/note_kind.h, as REASON and STEP.
OUT.c defines what daemon/serve/page/page.h declares: the bytes, a policy
that allows exactly this style and this script by their SHA-256, and an entity tag.
"""
import base64
import hashlib
import json
import os
import re
import sys

STYLE = re.compile(r'<link rel="stylesheet" href="([^"/]+)">')
SCRIPT = re.compile(r'(?:<script src="[^"/]+"></script>\s*)+')
NAME = re.compile(r'src="([^"/]+)"')
KIND = re.compile(r'^\tX\((\w+), "([a-z-]+)"\)', re.M)
LICENCE = re.compile(r"/\* SPDX-License-Identifier: \S+ \*/\n")


def fingerprint(text):
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "'sha256-" + base64.b64encode(digest).decode("ascii") + "'"


def read(directory, name):
    with open(os.path.join(directory, name), encoding="utf-8") as f:
        text = f.read()
    # Either would end the element that it is put into.
    if re.search(r"</(script|style)|<!--", text, re.I) and not name.endswith(".html"):
        sys.exit(f"{name}: this text cannot stand inside of HTML")
    return text


def kinds(directory):
    """The lists of kinds, as constants for the scripts."""
    while not os.path.exists(os.path.join(directory, "common", "note_kind.h")):
        directory = os.path.dirname(directory)
    header = read(os.path.join(directory, "common"), "note_kind.h")
    reasons, steps = header.split("#define SPG_STEP_KINDS(X)")
    for name, text in ("REASON", reasons), ("STEP", steps):
        yield f"const {name} = Object.freeze({json.dumps(dict(KIND.findall(text)))});\n"


def assemble(page):
    """@page: the path of page.html. Returns the document and its policy."""
    directory = os.path.dirname(os.path.abspath(page))
    document = read(directory, os.path.basename(page))
    styles, scripts = STYLE.findall(document), SCRIPT.findall(document)
    if len(styles) != 1 or len(scripts) != 1:
        sys.exit(f"{page}: one style sheet and one row of scripts are expected")
    style = "\n" + LICENCE.sub("", read(directory, styles[0]))
    script = "\n" + "".join(kinds(directory)) + "".join(LICENCE.sub("", read(directory, name))
                            for name in NAME.findall(scripts[0]))
    document = STYLE.sub(lambda _: f"<style>{style}</style>", document)
    document = SCRIPT.sub(lambda _: f"<script>{script}</script>\n", document)
    policy = "; ".join((
        "default-src 'none'", "script-src " + fingerprint(script),
        "style-src " + fingerprint(style), "connect-src 'self'", "img-src 'self' data:",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"))
    return document, policy


def c_source(document, policy):
    data = document.encode("utf-8")
    tag = hashlib.sha256(data + policy.encode("ascii")).hexdigest()[:32]
    yield "/* Made by assemble.py. */\n"
    yield '#include "daemon/serve/page/page.h"\n\n'
    yield "const unsigned char spg_page[] = {\n"
    for at in range(0, len(data), 24):
        yield "\t" + "".join(f"{byte}," for byte in data[at:at + 24]) + "\n"
    yield "};\n"
    yield "const size_t spg_page_size = sizeof(spg_page);\n"
    yield "const char spg_page_policy[] =\n"
    yield "\n".join(f'\t"{part}"' for part in re.split(r"(?<=; )", policy)) + ";\n"
    yield f'const char spg_page_etag[] = "\\"{tag}\\"";\n'


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    document, policy = assemble(sys.argv[1])
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        f.write(document)
    with open(sys.argv[3], "w", encoding="ascii") as f:
        f.writelines(c_source(document, policy))


if __name__ == "__main__":
    main()
