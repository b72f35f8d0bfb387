"""Which versions of TRL the trl engine knows; asked before TRL is imported, which costs seconds."""

from __future__ import annotations

from importlib import metadata

from packaging.specifiers import SpecifierSet

from overopt.errors import UserError
from overopt.spec.declare import Family

FAMILIES: tuple[Family, ...] = ("pairs", "rollout")
"""The families that TRL's trainers can train; they have no rounds."""

SUPPORTED = {"trl": SpecifierSet(">=1.16,<1.17"), "transformers": SpecifierSet(">=5.23,<5.24")}
"""The trl engine leans on private parts of both, which move between minor versions."""


def check_versions() -> None:
    """Refuse libraries whose private parts the trl engine has not been written for.

    Raises:
        UserError: TRL or transformers is missing or of another version.
    """
    for library, supported in SUPPORTED.items():
        found = installed(library)
        if found is None or not supported.contains(found, prereleases=True):
            wanted = ",".join(sorted(str(part) for part in supported))
            raise UserError(
                f"--engine trl knows {library} {wanted}, and {found or 'none'} is installed; "
                f'give pip install "{library}{wanted}", or --engine native.'
            )


def check_extra(library: str, wanted_for: str) -> None:
    """Refuse an option whose library is not installed.

    Raises:
        UserError: it is missing.
    """
    if installed(library) is None:
        raise UserError(
            f"{wanted_for} needs {library}, which is not installed; give pip install {library}, "
            "or leave the option out."
        )


def installed(library: str) -> str | None:
    """The installed version of a library, read without importing it."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
