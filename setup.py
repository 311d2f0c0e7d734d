"""Metadata from settings.ini; the addresses and the tools' settings are in pyproject.toml."""

import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).resolve().parent
parser = ConfigParser(delimiters=["="])
parser.read(here / "settings.ini", encoding="utf-8")
cfg = parser["DEFAULT"]


def words(key: str) -> list[str]:
    """The whitespace-separated words of a setting."""
    return cfg[key].split()


def classifiers() -> list[str]:
    """Trove classifiers made from the versions that settings.ini declares."""
    return [
        f"Development Status :: {cfg['status']}",
        "Environment :: Web Environment",
        "Framework :: AsyncIO",
        "Framework :: Django",
        *(f"Framework :: Django :: {version}" for version in words("django_versions")),
        "Intended Audience :: Developers",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        *(f"Programming Language :: Python :: {version}" for version in words("python_versions")),
        "Topic :: Internet :: WWW/HTTP",
        "Typing :: Typed",
    ]


def long_description() -> str:
    """The README, with links that also work outside the repository."""
    repository = re.search(r'Repository = "([^"]+)"', (here / "pyproject.toml").read_text(encoding="utf-8"))
    readme = (here / "README.md").read_text(encoding="utf-8")
    if not repository:
        return readme
    pictures = re.sub(r"(!\[[^]]*\]\()(?!https?://)", rf"\g<1>{repository[1]}/raw/main/", readme)
    return re.sub(r"(?<!!)(\[[^][]*\]\()(?!https?://)", rf"\g<1>{repository[1]}/blob/main/", pictures)


setup(
    version=cfg["version"],
    author=cfg["author"],
    license=cfg["license"],
    keywords=words("keywords"),
    classifiers=classifiers(),
    long_description=long_description(),
    long_description_content_type="text/markdown",
    packages=find_packages(include=["fileresponse", "fileresponse.*"]),
    package_data={"fileresponse": ["py.typed"]},
    install_requires=words("requirements"),
    extras_require={extra: words(f"{extra}_requirements") for extra in ("s3", "example", "dev")},
    entry_points={"nbdev": ["fileresponse=fileresponse._modidx:d"]},
)
