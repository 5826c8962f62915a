"""The cache folder is where the environment says, or where the system keeps caches."""

import sys
from pathlib import Path

import pytest

from mtl_core.errors import CacheError
from mtl_core.paths import cache_folder


def test_the_environment_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "a" / "b"))
    assert cache_folder() == tmp_path / "a" / "b"
    assert cache_folder().is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep caches elsewhere")
@pytest.mark.parametrize("mtl_cache", [None, ""])
def test_without_a_name_it_is_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mtl_cache: str | None
) -> None:
    if mtl_cache is None:
        monkeypatch.delenv("MTL_CACHE")
    else:
        monkeypatch.setenv("MTL_CACHE", mtl_cache)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "mtl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "mtl"


def test_a_cache_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(CacheError, match=r"cannot make the cache folder: .*; set MTL_CACHE"):
        cache_folder()
