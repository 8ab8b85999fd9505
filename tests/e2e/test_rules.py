# test_rules.py - `tagalong rules`: what promtool makes of them, when they call somebody and when they stay silent.
import json

import pytest

from tagalong_e2e.machine import ROOT, TAGALONG

PROMTOOL = "/usr/bin/promtool"
EXAMPLE = ROOT / "examples" / "slo" / "slo.yaml"
AVAILABILITY = "slos: [{name: a, service: shop, objective: 99, availability: 5xx}]"
FAILURES = "slos: [{name: a, service: shop, objective: 99, availability: errors}]"
LATENCY = "slos: [{name: a, objective: 99, latency: 1s}]"
GUARDED = "slos: [{name: a, service: shop, objective: 99, availability: 5xx, minimum_rate: 0.5}]"
STEM = "http_server_request_duration_seconds"


def write_rules(machine, slo):
    source, output = machine.directory / "slo.yaml", machine.directory / "rules.yaml"
    source.write_text(slo + "\n")
    done = machine.run([TAGALONG, "rules", "--slo", source, "--output", output])
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return output, done.stderr


def test_example_is_accepted_by_promtool(machine):
    done = machine.run([TAGALONG, "rules", "--slo", EXAMPLE])
    assert (done.returncode, done.stderr) == (0, "")
    rules = machine.directory / "rules.yaml"
    rules.write_text(done.stdout)
    checked = machine.run([PROMTOOL, "check", "rules", rules])
    assert checked.returncode == 0, checked.stderr
    # Of each objective: seven windows, the period, the budget that is left, and two severities.
    assert f"{3 * 11} rules found" in checked.stdout


def counts(**labels):
    return f"{STEM}_count" + "{" + ",".join(f'{key}="{value}"' for key, value in {"job": "shop", **labels}.items()) + "}"


def bucket(bound, **labels):
    return counts(le=bound, **labels).replace("_count", "_bucket")


def steady(a_minute, minutes=6000):
    return f"0+{a_minute}x{minutes}"


OK = {"http_response_status_code": "200"}
BROKEN = {"http_response_status_code": "500", "error_type": "500"}
ABORTED = {"error_type": "closed"}
# Series, when to look, and which severities are then sent.
CASES = {
    "nothing fails": (AVAILABILITY, {counts(**OK): steady(600)}, "4d", []),
    "what is allowed fails": (AVAILABILITY, {counts(**OK): steady(992), counts(**BROKEN): steady(8)}, "4d", []),
    "slowly more than allowed fails": (AVAILABILITY, {counts(**OK): steady(975), counts(**BROKEN): steady(25)}, "4d",
                                       ["ticket"]),
    "much fails": (AVAILABILITY, {counts(**OK): steady(700), counts(**BROKEN): steady(300)}, "4d", ["page", "ticket"]),
    "everything has failed for two minutes": (AVAILABILITY, {counts(**BROKEN): steady(600)}, "2m", ["page", "ticket"]),
    "it failed, and has recovered": (AVAILABILITY, {counts(**OK): steady(600), counts(**BROKEN): "0+300x60 18000x400"},
                                     "7h", []),
    "aborted requests are no 5xx": (AVAILABILITY, {counts(**OK): steady(700), counts(**ABORTED): steady(300)}, "4d", []),
    "aborted requests count if asked for": (FAILURES, {counts(**OK): steady(700), counts(**ABORTED): steady(300)}, "4d",
                                            ["page", "ticket"]),
    "another service fails": (AVAILABILITY, {counts(**OK): steady(600), counts(**{**BROKEN, "job": "other"}): steady(600)},
                              "1h", []),
    "too few to call somebody": (GUARDED, {counts(**BROKEN): steady(12)}, "4d", []),
    "enough to call somebody": (GUARDED, {counts(**BROKEN): steady(60)}, "4d", ["page", "ticket"]),
    "slow": (LATENCY, {bucket("1.0", **OK): steady(400), counts(**OK): steady(800)}, "4d", ["page", "ticket"]),
    "slow, by another spelling": (LATENCY, {bucket("1", **OK): steady(400), counts(**OK): steady(800)}, "4d",
                                  ["page", "ticket"]),
    "fast": (LATENCY, {bucket("1", **OK): steady(796), counts(**OK): steady(800)}, "4d", []),
    "slow failures are not counted twice": (
        LATENCY, {bucket("1", **OK): steady(800), counts(**OK): steady(800), bucket("1", **BROKEN): steady(0),
                  counts(**BROKEN): steady(800)}, "4d", []),
}


@pytest.mark.parametrize("name", CASES)
def test_somebody_is_called(machine, name):
    slo, series, when, severities = CASES[name]
    rules, _ = write_rules(machine, slo)
    alerts = [{"exp_labels": {"severity": severity, "slo": "a", "job": "shop"}, "exp_annotations": {}}
              for severity in severities]
    # Annotations hold numbers that are not exact; whether and with which labels it fires is what counts.
    bare = machine.directory / "bare.yaml"
    bare.write_text("\n".join(line for line in rules.read_text().splitlines()
                              if line.strip().split(":")[0] not in ("annotations", "summary")) + "\n")
    test = {"rule_files": [str(bare)], "evaluation_interval": when, "tests": [{
        "interval": "1m", "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "alert_rule_test": [{"eval_time": when, "alertname": "ErrorBudgetBurn", "exp_alerts": alerts}]}]}
    path = machine.directory / "test.yaml"
    path.write_text(json.dumps(test))
    done = machine.run([PROMTOOL, "test", "rules", path], timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_low_objective_says_what_could_never_be_sent(machine):
    rules, said = write_rules(machine, "slos: [{name: low, objective: 70, availability: 5xx}]")
    text = rules.read_text()
    assert said == "tagalong rules: low: the objective is so low that no page could be sent\n"
    assert "severity: page" not in text and "severity: ticket" in text


BAD = {
    "slos: []": "1:",
    "slos:\n  - name: a\n    objective: 99\n": "2: has either latency or availability",
    "slos:\n  - name: a\n    objective: 100\n    latency: 1s\n": "3: objective",
    "slos:\n  - name: a\n    objective: 99\n    latency: 0.3s\n": "4: latency",
    "slos:\n  - name: a b\n    objective: 99\n    latency: 1s\n": "2: name",
    "slos:\n  - name: a\n    objective: 99\n    latency: 1s\n    colour: red\n": "5: colour",
    "slos:\n  - {name: a, objective: 99, latency: 1s}\n  - {name: a, objective: 9, latency: 1s}\n": "3: has the name",
}


@pytest.mark.parametrize("text", BAD)
def test_mistakes_are_told_with_their_lines(machine, text):
    source = machine.directory / "slo.yaml"
    source.write_text(text)
    done = machine.run([TAGALONG, "rules", "--slo", source])
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{source}:{BAD[text]}" in done.stderr
