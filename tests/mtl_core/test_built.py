"""Folders of the cache are built once, again when they are damaged, and make room."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mtl_core.built import Room, open_or_build, remove_built
from mtl_core.errors import CacheError
from mtl_core.files import locked, remove

PATHS = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


class Shop:
    """Builds folders that hold one number, and counts how often."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.built: list[str] = []

    def get(
        self, name: str, *, size: int = 100, budget: int | None = None, is_known: bool = True
    ) -> int | None:
        def build(folder: Path) -> int:
            self.built.append(name)
            (folder / "content").write_bytes(b"7" * size)
            return size

        def open_(folder: Path, meta: int) -> int | None:
            found = len((folder / "content").read_bytes())
            return found if found == meta else None

        room = None if budget is None else Room(size if is_known else None, budget)
        return open_or_build(self.root / name, open_, build, room=room)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "cache")


def test_all_threads_get_what_one_built(shop: Shop) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(shop.get, ["a"] * 8)) == [100] * 8
    assert shop.built == ["a"]


def test_what_a_killed_process_left_is_no_folder(shop: Shop) -> None:
    shop.get("a")
    (shop.root / "a").rename(shop.root / ".a.of-a-killed-process.part")
    assert shop.get("a") == 100
    assert shop.built == ["a", "a"]
    assert names(shop.root) == {"a"}


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def piped(path: Path) -> None:
    remove(path)
    os.mkfifo(path)


def made_a_folder(path: Path) -> None:
    remove(path)
    (path / "below").mkdir(parents=True)


def linked_to_nothing(path: Path) -> None:
    remove(path)
    path.symlink_to(path.parent / "nothing")


DAMAGES = (emptied, flipped, shortened, remove, piped, made_a_folder, linked_to_nothing)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["content", "meta.json"])
def test_a_damaged_folder_is_built_again_and_told(
    shop: Shop, caplog: pytest.LogCaptureFixture, file: str, damage: Callable[[Path], None]
) -> None:
    shop.get("a")
    damage(shop.root / "a" / file)
    assert shop.get("a") == 100
    assert shop.built == ["a", "a"]
    [line] = caplog.messages
    assert line.startswith(f"{shop.root / 'a'}: damaged: {file} ")
    assert line.endswith("; it is built again")
    assert shop.get("a") == 100
    assert shop.built == ["a", "a"]
    assert names(shop.root) == {"a"}


@pytest.mark.parametrize("damage", [emptied, piped, linked_to_nothing])
def test_what_stands_in_the_place_of_a_folder_makes_way(
    shop: Shop, damage: Callable[[Path], None]
) -> None:
    shop.get("a")
    remove(shop.root / "a")
    (shop.root / "a").touch()
    damage(shop.root / "a")
    assert shop.get("a") == 100
    assert (shop.root / "a").is_dir()
    assert not (shop.root / "a").is_symlink()


def test_a_cache_that_cannot_be_used_is_told_in_a_line(shop: Shop) -> None:
    shop.root.touch()
    with pytest.raises(CacheError, match=r"cache: the cache cannot be used: .*; remove what is"):
        shop.get("a")
    shop.root.unlink()
    (shop.root / "a.lock").mkdir(parents=True)
    with pytest.raises(CacheError, match=r"a\.lock: the cache cannot be used: .*; remove what is"):
        shop.get("a")


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "content").touch()
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        open_or_build(tmp_path / "a", lambda folder, meta: 1, build)
    assert names(tmp_path) == set()


def test_what_can_never_be_opened_is_told(tmp_path: Path) -> None:
    def open_(folder: Path, meta: object) -> int:
        raise KeyError("of the code, not of a file")

    with pytest.raises(KeyError, match="of the code"):
        open_or_build(tmp_path / "a", open_, lambda folder: None)


def test_the_least_recently_used_folders_make_room(shop: Shop) -> None:
    for age, name in enumerate(("new", "middle", "old")):
        shop.get(name, size=1000)
        os.utime(shop.root / name / "meta.json", (1000 - age, 1000 - age))
    shop.get("old")  # Used now, so that "middle" is next.
    assert shop.get("more", size=1000, budget=3500) == 1000
    assert names(shop.root) == {"new", "old", "more"}
    assert shop.get("huge", size=3501, budget=3500) is None
    assert names(shop.root) == {"new", "old", "more"}


def test_what_is_built_in_any_case_makes_room_for_itself(shop: Shop) -> None:
    """In processes that end; what this one has opened before is in use, and stays."""
    script = "import sys; from test_built import Shop; from pathlib import Path; " + (
        "Shop(Path(sys.argv[1])).get(sys.argv[2], budget=250, is_known=False)"
    )
    for age, name in enumerate(("new", "middle", "old")):
        subprocess.run([sys.executable, "-c", script, shop.root, name], check=True, env=PATHS)
        assert name in names(shop.root)
        os.utime(shop.root / name / "meta.json", (1000 - age, 1000 - age))
    # Each takes 100 bytes and its `meta.json`.
    assert names(shop.root) == {"old"}
    for name in "abc":
        assert shop.get(name, budget=250, is_known=False) == 100
    assert names(shop.root) == {"a", "b", "c"}


def test_a_folder_is_in_use_as_long_as_its_process_lives(shop: Shop) -> None:
    script = (
        "import sys; from test_built import Shop; from pathlib import Path; "
        "Shop(Path(sys.argv[1])).get('a'); print('there', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, shop.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=PATHS,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"there\n"
        assert not remove_built(shop.root / "a")
        assert names(shop.root) == {"a"}
        other.kill()
    assert remove_built(shop.root / "a")
    assert names(shop.root) == set()


def test_a_folder_that_is_being_opened_stays(shop: Shop) -> None:
    shop.get("a")
    with locked(shop.root / "a"):
        assert not remove_built(shop.root / "a", even_used=True)
    assert not remove_built(shop.root / "a")
    assert remove_built(shop.root / "a", even_used=True)


def test_many_folders_leave_files_for_others(shop: Shop) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    for number in range(300):
        shop.get(f"{number}")
        shop.get(f"{number}")
    assert len(list(Path("/dev/fd").iterdir())) <= before + 200


def test_what_others_build_does_not_make_room(shop: Shop) -> None:
    shop.get("a")
    # As another process leaves it in the moment before it moves the folder to its place.
    built = shop.root / ".b.of-another-process.part"
    shutil.copytree(shop.root / "a", built)
    os.utime(built / "meta.json", (1000, 1000))
    assert shop.get("c", budget=100) == 100
    assert built.is_dir()
    assert not (shop.root / "a").exists()


def test_many_make_room_at_a_time(shop: Shop) -> None:
    wanted = [f"{number}" for number in range(8)] * 8
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: shop.get(name, budget=300), wanted))
    # None for one that met only folders that others were about to open.
    assert set(found) <= {100, None}
    assert len(shop.built) > 8
