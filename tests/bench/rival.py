"""Shared by the benchmark scripts: the rivals' virtual environment, processes with their peak memory, and JSON output."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def ensure_environment(script: str) -> None:
    """Re-runs `script` inside the rivals' environment, which is made once from requirements.txt.

    MORTISE_BENCH_PYTHON names a ready interpreter instead.
    """
    if os.environ.get("MORTISE_BENCH_INSIDE"):
        return
    python = os.environ.get("MORTISE_BENCH_PYTHON")
    if not python:
        digest = hashlib.sha256((HERE / "requirements.txt").read_bytes()).hexdigest()[:12]
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
        venv = cache / "mortise" / f"bench-{digest}"
        python = str(venv / "bin" / "python")
        if not (venv / "ready").exists():
            print(f"making the rivals' environment in {venv}", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", "-r", str(HERE / "requirements.txt")], check=True)
            (venv / "ready").touch()
    os.environ["MORTISE_BENCH_INSIDE"] = "1"
    os.execv(python, [python, script, *sys.argv[1:]])


def run_measured(command, **options):
    """Runs a command; returns (exit status, wall seconds, peak resident bytes, stdout)."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, time.perf_counter() - start, usage.ru_maxrss * 1024, output


def fixed_threads(threads: int) -> dict:
    """The environment that pins every thread pool to `threads`."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {**os.environ, **{name: str(threads) for name in names}, "MKL_DYNAMIC": "FALSE", "OMP_DYNAMIC": "FALSE", "TOKENIZERS_PARALLELISM": "false"}


def report(**figures) -> None:
    print(json.dumps(figures, indent=2))
