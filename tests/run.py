# run.py - runs the unit tests and the end-to-end tests and ends with one line: passed, failed, skipped.
#
#   run.py BUILD UNIT_TEST...
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def count_report(path):
    """(passed, failed, skipped) of a JUnit report."""
    tree = xml.parse(path).getroot()
    cases = list(tree.iter("testcase"))
    failed = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None)
    skipped = sum(1 for case in cases if case.find("skipped") is not None)
    return len(cases) - failed - skipped, failed, skipped


def run_unit(test):
    """Runs one cmocka program; a program that crashes, or that reports nothing, is a failure."""
    print(f"  RUN     {test}", flush=True)
    try:
        result = subprocess.run([str(Path(test).resolve())], cwd=ROOT, timeout=120, text=True, errors="replace",
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        code, output = result.returncode, result.stdout
    except subprocess.TimeoutExpired as expired:
        code, output = "none within 120 s", str(expired.output)

    def total(word):
        found = re.search(rf"^\[ *{word} *\] (\d+) test", output, re.M)
        return int(found.group(1)) if found else 0

    passed, failed, skipped = total("PASSED"), total("FAILED"), total("SKIPPED")
    if code != 0 or failed or not passed:
        print(f"{output}\n{test}: exit code {code}")
        failed = max(failed, 1)
    return passed, failed, skipped


def run_e2e(build, reports):
    report = reports / "e2e.xml"
    report.unlink(missing_ok=True)
    env = {**os.environ, "TAGALONG_BUILD": str(build.resolve()), "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-ra", "--tb=short",
               "--durations=10", f"--junitxml={report}", "tests/e2e", "tests/accuracy"]
    code = subprocess.run(command, cwd=ROOT, env=env).returncode
    if code not in (0, 1) or not report.exists():
        print(f"pytest: failed, exit code {code}")
        return 0, 1, 0
    passed, failed, skipped = count_report(report)
    return passed, failed or int(code != 0), skipped


def main():
    build = Path(sys.argv[1])
    reports = build / "tests" / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    results = [run_unit(test) for test in sys.argv[2:]]
    results.append(run_e2e(build, reports))
    passed, failed, skipped = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed else 0)


main()
