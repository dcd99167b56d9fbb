"""The core resolves on Python 3.11 to 3.13, and imports on each of them that is installed.

Resolution is always checked. An interpreter that is not here is named, loudly, not passed over.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).parent / "uv"
VERSIONS = ("3.11", "3.12", "3.13")
# What `import hounsfield`, its command line and its formats need; torch's 5 GB are left out.
LIGHT = (
    "import hounsfield, hounsfield.image, hounsfield.formats, hounsfield.plan.schema\n"
    "from hounsfield.cli import main; raise SystemExit(main(['train', '--help']))"
)
NEEDS = ("numpy", "pydantic", "cyclopts", "rich", "polars", "pydicom", "nibabel", "pillow")


def main() -> None:
    """Resolve for each version, then import on each that is here."""
    for version in VERSIONS:
        _run(UV, "pip", "compile", "--quiet", "--python-version", version, "pyproject.toml")
        print(f"Python {version}: the dependencies resolve")
    for version in VERSIONS:
        python = _interpreter(version)
        if python is None:
            print(f"PYTHON {version} NOT TESTED: it is not installed here")
            continue
        with tempfile.TemporaryDirectory() as folder:
            _run(UV, "venv", "--quiet", "--python", python, f"{folder}/venv")
            inside = f"{folder}/venv/bin/python"
            lock = ["--constraints", "requirements.lock"]
            _run(UV, "pip", "install", "--quiet", "--python", inside, *lock, *NEEDS)
            _run(UV, "pip", "install", "--quiet", "--python", inside, "--no-deps", ".")
            _run(inside, "-c", LIGHT)
        print(f"Python {version}: imports, and shows its help")


def _interpreter(version: str) -> str | None:
    """A Python that really is of this version; a shim that answers to the name may not be."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for name in (f"python{version}", sys.executable, *map(str, pyenv)):
        path = shutil.which(name)
        asked = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"] if path else []
        if path and _output(asked) == version:
            return path
    return None


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
