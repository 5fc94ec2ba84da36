"""Imports every module that was installed from this repository, so that no image is built which lacks a package."""

import importlib
import pkgutil
import sys
from importlib.metadata import distributions

_NOT_HERE = ("common.testing", ".migrations.", ".__main__")


def main() -> None:
    names = [d.name.removeprefix("microblog-") for d in distributions() if d.name.startswith("microblog-")]
    packages = ["microblog_operator" if name == "operator" else name for name in names]
    for package in packages:
        for found in pkgutil.walk_packages([*importlib.import_module(package).__path__], f"{package}."):
            if not any(part in f"{found.name}." for part in _NOT_HERE):
                importlib.import_module(found.name)
    sys.exit(None if packages else "nothing of this repository is installed")


if __name__ == "__main__":
    main()
