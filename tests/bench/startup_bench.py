#!/usr/bin/env python3
"""Start-up of the verbs that open nothing, with 100 plugins on the search path: milliseconds, median and worst of 20.

Usage: tests/bench/startup_bench.py [--build build/release] [--plugins 100]
The plugins are manifests only, copies of the built ones under other names: discovery must not open a library anyway.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def make_plugins(build: pathlib.Path, folder: pathlib.Path, count: int) -> None:
    manifests = sorted((build / "lib" / "mortise" / "plugins").glob("*/plugin.toml"))
    for number in range(count):
        text = manifests[number % len(manifests)].read_text()
        text = re.sub(r'^id = "(.*)"$', rf'id = "\1.copy{number}"', text, count=1, flags=re.M)
        text = re.sub(r'^name = "(.*)"$', rf'name = "\1_copy{number}"', text, flags=re.M)
        target = folder / f"copy{number}"
        target.mkdir()
        (target / "plugin.toml").write_text(text)


def milliseconds(command) -> list:
    times = []
    for _ in range(21):
        start = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        times.append((time.perf_counter() - start) * 1e3)
        if done.returncode != 0:
            raise SystemExit(f"{command} failed: {done.stderr.decode()}")
    return times[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--plugins", type=int, default=100)
    options = parser.parse_args()
    program = str(options.build / "bin" / "mortise")
    recipe = str(ROOT / "configs" / "recipes" / "quickstart.toml")
    with tempfile.TemporaryDirectory() as folder:
        make_plugins(options.build, pathlib.Path(folder), options.plugins)
        verbs = {"help": ["--help"], "validate": ["validate", recipe, "--plugin-path", folder], "inspect": ["inspect", "--plugin-path", folder],
                 "schema": ["schema", "optimizer", "--plugin-path", folder]}
        results = {name: milliseconds([program, *words]) for name, words in verbs.items()}
    figures = {name: {"median_ms": round(statistics.median(times), 2), "worst_ms": round(max(times), 2)} for name, times in results.items()}
    print(json.dumps({"bench": "startup", "plugins": options.plugins, **figures}, indent=2))


if __name__ == "__main__":
    main()
