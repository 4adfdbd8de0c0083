# SPDX-License-Identifier: MIT
"""Runs the tests of a file: for people, or as TAP for meson."""
import re
import sys
import traceback
import unittest


class _TapResult(unittest.TestResult):
    def __init__(self, stream):
        super().__init__()
        self.out, self.number = stream, 0

    def _line(self, ok, test, note="", text=""):
        self.number += 1
        name = re.sub(r"[#\n]", " ", test.id().replace("__main__.", ""))
        print(f"{'ok' if ok else 'not ok'} {self.number} - {name}{note}", file=self.out)
        for line in text.splitlines():
            print(f"# {line}", file=self.out)
        self.out.flush()

    def addSuccess(self, test):
        super().addSuccess(test)
        self._line(True, test)

    def addError(self, test, err):
        super().addError(test, err)
        self._line(False, test, text="".join(traceback.format_exception(*err)))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._line(False, test, text="".join(traceback.format_exception(*err)))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._line(False, subtest, text="".join(traceback.format_exception(*err)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line(True, test, note=" # SKIP " + reason.replace("\n", " "))


def main():
    """Run the tests of the calling file: plain, or TAP with --tap. Plain, the
    exit code is 77 when every test was skipped."""
    if sys.argv[1:] == ["--tap"]:
        suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
        result = _TapResult(sys.stdout)
        suite.run(result)
        print(f"1..{result.number}")
        sys.exit(0)
    program = unittest.main(module="__main__", verbosity=2, exit=False)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun and len(result.skipped) == result.testsRun else 0)
