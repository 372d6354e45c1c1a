"""Unpacks the wheels of LibTorch for a C++ build and checks every file against the wheels' RECORD.

    unpack.py [--all] DEST WHEEL...     unpack into DEST, then check
    unpack.py --verify DEST             check a tree that was unpacked before

A wheel is a zip; its *.dist-info/RECORD lists each file with its sha256 (base64, no padding) and size (PyPA "Recording
installed projects").  Of the 1.2 GB that the wheels hold, a C++ build on the CPU needs 0.5: headers, libtorch_cpu with
what it links, licences.  Only those are written (--all: everything).  The check reads the files back from the disk.
"""

import base64
import csv
import errno
import fnmatch
import hashlib
import io
import os
import pathlib
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

KEEP = [
    "torch/include/*",
    "torch/lib/libc10.so",
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libgomp*",
    "torch/version.py",
    "nvidia/*/lib/libcudart.so.*",
    "nvidia/*/lib/libcupti.so.*",
    "*.dist-info/*",
]


def stop(sentence):
    sys.exit(f"torch: error: {sentence}; nothing was kept" if "--verify" not in sys.argv else f"torch: error: {sentence}")


def read_record(text):
    """Returns {path: (sha256 or '', size)}."""
    return {row[0]: (row[1].removeprefix("sha256="), row[2]) for row in csv.reader(io.StringIO(text))}


def wanted(path, everything):
    return everything or any(fnmatch.fnmatchcase(path, pattern) for pattern in KEEP)


def write_members(wheel, members, dest):
    """Writes the named members; each call opens its own zip, so that threads do not share a file position."""
    with zipfile.ZipFile(wheel) as archive:
        for name in members:
            target = dest / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(target, "wb") as out:
                while chunk := source.read(1 << 20):
                    out.write(chunk)


def unpack(wheel, dest, everything):
    """Unpacks one wheel; refuses one whose files and RECORD differ."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
        records = [name for name in sizes if name.endswith(".dist-info/RECORD")]
        if len(records) != 1:
            stop(f"{wheel.name} holds {len(records)} RECORD files instead of one")
        record = read_record(archive.read(records[0]).decode())
    if odd := sorted(sizes.keys() ^ record.keys()):
        stop(f"{wheel.name} and its RECORD differ: {odd[0]}")
    for name in sizes:
        if name.startswith("/") or ".." in pathlib.PurePosixPath(name).parts:
            stop(f"{wheel.name} would write outside its folder: {name}")
    members = sorted((name for name in sizes if wanted(name, everything)), key=sizes.get, reverse=True)
    big, small = members[:4], members[4:]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # zlib and hashlib release the interpreter lock
        jobs = [pool.submit(write_members, wheel, [name], dest) for name in big]
        jobs.append(pool.submit(write_members, wheel, small, dest))
        for job in jobs:
            job.result()


def difference(dest, path, digest, size):
    """Returns what is wrong with one unpacked file, or None."""
    hasher = hashlib.sha256()
    with open(dest / path, "rb") as file:
        if os.fstat(file.fileno()).st_size != int(size):
            return f"{path} has another size than its RECORD says"
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    if base64.urlsafe_b64encode(hasher.digest()).rstrip(b"=").decode() != digest:
        return f"{path} differs from its RECORD"
    return None


def verify(dest):
    """Checks every recorded file that is wanted or there; returns how many there were."""
    records = sorted(dest.glob("*.dist-info/RECORD"))
    if not records:
        stop(f"{dest} holds no RECORD")
    jobs = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file in records:
            for path, (digest, size) in read_record(file.read_text()).items():
                if not digest:  # RECORD itself
                    continue
                if (dest / path).exists():
                    jobs.append(pool.submit(difference, dest, path, digest, size))
                elif wanted(path, everything=False):
                    stop(f"{path} is missing in {dest}")
        for job in jobs:
            if sentence := job.result():
                stop(sentence)
    return len(jobs)


def main(arguments):
    everything = "--all" in arguments
    only_verify = "--verify" in arguments
    paths = [pathlib.Path(argument) for argument in arguments if not argument.startswith("--")]
    try:
        for wheel in paths[1:] if not only_verify else []:
            unpack(wheel, paths[0], everything)
        print(verify(paths[0]))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            stop(f"out of disk while unpacking LibTorch: {error.filename or error}; free some space and run again")
        stop(f"the wheels cannot be unpacked: {error}")
    except ( zipfile.BadZipFile, EOFError) as error:
        stop(f"the wheels cannot be unpacked: {error}")


main(sys.argv[1:])
