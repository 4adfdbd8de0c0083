# SPDX-License-Identifier: MIT
"""Metrics as text, read strictly: what a Prometheus server would not take is an
error here, whatever the format (exposition format 0.0.4, OpenMetrics 1.0.0)."""
import re

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"],
            "info": ["_info"], "gauge": [""], "stateset": [""]}


def labels_of(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match or match.group(1) in labels:
            raise ValueError(f"labels: {text}")
        labels[match.group(1)] = re.sub(
            r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), match.group(2))
        at = match.end()
    return labels


class Exposition:
    """Families by name: (type, [(sample name, labels, value)])."""

    def __init__(self, text, openmetrics):
        lines = text.split("\n")
        if lines.pop() != "":
            raise ValueError("the last line has no end")
        if openmetrics and lines.pop() != "# EOF":
            raise ValueError("no # EOF")
        self.families, self.openmetrics, family = {}, openmetrics, None
        for line in lines:
            if line.startswith("# HELP "):
                helped = line.split(" ", 3)[2]
            elif line.startswith("# TYPE "):
                _, _, family, kind = line.split(" ")
                if family != helped or family in self.families:
                    raise ValueError(line)
                self.families[family] = (kind, [])
            else:
                self.take_sample(family, line)

    def take_sample(self, family, line):
        match = SAMPLE.match(line)
        if not match:
            raise ValueError(line)
        kind, samples = self.families[family]
        suffixes = SUFFIXES[kind]
        if not self.openmetrics and kind == "counter":
            suffixes = [""]
        if match.group(1) not in [family + suffix for suffix in suffixes]:
            raise ValueError(f"{line}: in the family {family}")
        sample = (match.group(1), labels_of(match.group(2) or ""), float(match.group(3)))
        if any(sample[:2] == other[:2] for other in samples):
            raise ValueError(f"twice: {line}")
        samples.append(sample)

    def value(self, sample, **labels):
        """The value of the only sample with that name and at least those labels."""
        found = [v for _, samples in self.families.values() for name, have, v in samples
                 if name == sample and labels.items() <= have.items()]
        if len(found) != 1:
            raise KeyError(f"{sample} {labels}: {len(found)} samples")
        return found[0]

    def names(self):
        return {name for _, samples in self.families.values() for name, _, _ in samples}
