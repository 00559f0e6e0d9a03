"""What lb_bench measured, as scripts/bench.sh collected it: for the tables of report.py and the pictures of charts.py."""

from statistics import median

OUT_OF_PATIENCE = 124  # timeout(1)'s exit code


class Results:
    def __init__(self, path):
        self._sections = {}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                section, contender, quantity, *values = line.rstrip("\n").split("\t")
                contenders = self._sections.setdefault(section, {})
                contenders.setdefault(contender, {})[quantity] = values

    def has(self, *sections):
        return all(section in self._sections for section in sections)

    def contenders(self, section):
        """Those that took part in the race, in its order."""
        return [name for name, quantities in self._sections[section].items() if "seconds" in quantities]

    def text(self, name):
        """Of section machine, which holds no figures."""
        return self._sections["machine"][name]["text"][0]

    def values(self, section, contender, quantity):
        """One for each round that counts; in seconds and bytes."""
        return [float(value) for value in self._sections[section][contender][quantity]]

    def median(self, section, contender, quantity):
        return median(self.values(section, contender, quantity))

    def sizes(self):
        """The names of the small, the middle and the large database."""
        middle = int(self.text("MiB"))
        sizes = {"small": max(middle // 16, 1), "medium": middle, "large": middle * 4}
        return {name: f"{size // 1024} GiB" if size % 1024 == 0 else f"{size} MiB" for name, size in sizes.items()}
