"""Apache Kafka's jars, resolved by jgo against a committed lock and kept for all stacks of a user."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

from engines.process import EngineError


def cache_folder() -> Path:
    """Where jars are kept for all stacks of this user."""
    given = os.environ.get("MICROBLOG_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "microblog"


def resolve_jars(report: Callable[[str], None] = lambda line: None) -> Path:
    """Return the folder of the jars, fetched once and checked against their SHA-256 sums; raises `EngineError`."""
    source = files("engines") / "jars"
    lock_text = (source / "jgo.lock.toml").read_text("utf-8")
    sums = {f"{d['artifactId']}-{d['version']}.jar": d["sha256"] for d in tomllib.loads(lock_text)["dependencies"]}
    folder = cache_folder() / f"kafka-{hashlib.sha256(lock_text.encode()).hexdigest()[:12]}"
    if (folder / "complete").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # jgo fails where two of it fetch at the same time
        if not (folder / "complete").exists():
            report("fetching Apache Kafka (45 jars, 43 MB, once)")
            with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as work:
                _fetch(Path(work), (source / "jgo.toml").read_text("utf-8"), sums)
                shutil.rmtree(folder, ignore_errors=True)
                (Path(work) / "jars").rename(folder)
    return folder


def _fetch(work: Path, wanted: str, sums: Mapping[str, str]) -> None:
    """Have jgo resolve into an empty repository, since it keeps what an interrupted or damaged fetch left in the usual one, and check all itself."""
    (work / "jgo.toml").write_text(wanted)
    own = {**os.environ, "M2_REPO": str(work / "repository")}
    done = subprocess.run([sys.executable, "-m", "jgo", "sync", "--force"], cwd=work, env=own, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = ((done.stderr or done.stdout).strip().splitlines() or ["no reason given"])[-1]
        raise EngineError(
            f"Kafka's jars can't be fetched ({why.strip()[:200]}): check the network, or give MICROBLOG_KAFKA_SERVERS of a broker"
        )
    found = {jar.name: jar for jar in (work / ".jgo").rglob("*.jar")}
    (work / "jars").mkdir()
    for name, expected in sums.items():
        if name not in found or hashlib.sha256(found[name].read_bytes()).hexdigest() != expected:
            raise EngineError(f"Kafka's jar {name} did not arrive as it was locked: try again, or give MICROBLOG_KAFKA_SERVERS of a broker")
        shutil.copyfile(found[name], work / "jars" / name)
    (work / "jars" / "complete").touch()
