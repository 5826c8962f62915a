"""Study files and `--set`: what is read, what overrides change, and what cannot be read at all."""

import re
from pathlib import Path

import pytest

from mtl_core.errors import ConfigError
from mtl_core.section import DataPath, PlacedText, Section, resolve_path
from mtl_core.study_file import dump, override, parse_assignment, read_document
from mtl_core.validation import validate


class Run(Section):
    name: str
    learning_rate: float
    layers: tuple[int, ...]
    datasets: dict[str, DataPath]


class Study(Section):
    run: Run


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes study.yaml into the current folder, so that messages name it without a folder."""
    monkeypatch.chdir(tmp_path)

    def write_bytes(content: bytes) -> Path:
        Path("study.yaml").write_bytes(content)
        return Path("study.yaml")

    return write_bytes


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("optimizer.encoder_lr=3e-5", "run.optimizer.encoder_lr", 0.00003),
        ("study.trials=4", "study.trials", 4),
        ("tasks.a.label=no", "run.tasks.a.label", "no"),
        ("freezing={kind: encoder}", "run.freezing", {"kind": "encoder"}),
        ("encoder.name=package:a=b", "run.encoder.name", "package:a=b"),
        ("search.optimizer.head_lr={range: [1, 2]}", "search.optimizer.head_lr", {"range": [1, 2]}),
        ("optimizer=", "run.optimizer", None),
        ("a=2024-01-01", "run.a", "2024-01-01"),
    ],
)
def test_an_assignment_is_yaml_1_2(text, key, value):
    assert parse_assignment(text, roots=("run", "search", "study"), default_root="run") == (
        key,
        value,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs", "--set epochs: expected key=value, for instance"),
        (".a=1", "--set .a=1: expected key=value"),
        ("a=[1", "--set a=[1: not valid YAML at column 3: while parsing a flow sequence"),
        ("a={b: 1, b: 2}", "--set a={b: 1, b: 2}: repeated key 'b'"),
    ],
)
def test_an_assignment_that_cannot_be_read(text, message):
    with pytest.raises(ConfigError, match=rf"\A{re.escape(message)}"):
        parse_assignment(text)


def test_paths_start_from_the_file_or_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "studies").mkdir()
    path = tmp_path / "studies/study.yaml"
    path.write_text("run: {name: a, learning_rate: 1, layers: [], datasets: {snips: data/snips}}")
    monkeypatch.chdir(tmp_path)
    key, value = parse_assignment("datasets.other=../here")
    document = read_document(path).with_overrides({key: value})
    assert validate(document, Study).run.datasets == {
        "snips": tmp_path / "studies/data/snips",
        "other": tmp_path.parent / "here",
    }


def test_an_override_replaces_creates_and_leaves_the_original_alone():
    raw = {"run": {"freezing": {"kind": "lower_layers", "layers": 2}, "seed": 1}, "search": {}}
    merged = override(
        raw,
        {
            "run.freezing": {"kind": "none"},
            "run.optimizer.head_lr": 0.1,
            "search.optimizer.head_lr": {"range": [1, 2]},
        },
    )
    assert merged == {
        "run": {"freezing": {"kind": "none"}, "seed": 1, "optimizer": {"head_lr": 0.1}},
        "search": {"optimizer.head_lr": {"range": [1, 2]}},
    }
    assert raw == {
        "run": {"freezing": {"kind": "lower_layers", "layers": 2}, "seed": 1},
        "search": {},
    }


def test_yaml_values_keep_their_yaml_1_2_meaning(write):
    text = b"a: no\nb: 010\n2024: ~\nd: '1'\ne: [&x 1_000, *x, 1E3]\nf: 2024-01-01\n"
    data = read_document(write(text)).data
    assert data == {
        "a": "no",
        "b": 10,
        "2024": None,
        "d": "1",
        "e": [1000, 1000, 1000.0],
        "f": "2024-01-01",
    }
    assert isinstance(data["a"], PlacedText)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: c: d\n", "study.yaml:2: not valid YAML at column 5: mapping values are not"),
        (b"a: 1\n\tb: 2\n", "study.yaml:2: not valid YAML at column 1: while scanning"),
        (b"a: 1\n---\nb: 2\n", "study.yaml:2: not valid YAML at column 1: expected a single doc"),
        (b"a: 1\nb: \x01\n", "study.yaml:2: not valid YAML: special characters"),
        (
            b"a:\n  b: 1\n  c: 2\n  b: 3\n",
            "study.yaml:4: repeated key 'a.b'; first given in line 2",
        ),
        (b"a: 1\nb: caf\xe9\n", "study.yaml:2: not UTF-8: byte 0xe9 at offset 11"),
        (b"- a\n", "study.yaml: expected a mapping of sections, found a list"),
        (b"", "study.yaml: expected a mapping of sections, found nothing"),
        (b"a: &x {b: *x}\n", "study.yaml:1: nested too deeply, or an alias inside itself"),
        (b"a: 1\nb: !python x\n", "study.yaml:2: the type '!python' is not supported"),
        (b"a: 1\n? [b]\n: 1\n", "study.yaml:2: expected text as key, found a collection"),
    ],
)
def test_a_file_that_cannot_be_read(write, content, message):
    path = write(content)
    with pytest.raises(ConfigError, match=rf"\A{re.escape(message)}.*\Z"):
        read_document(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stuudy.yaml", "stuudy.yaml: no such file. Did you mean 'study.yaml'?"),
        ("nowhere/study.yaml", "nowhere/study.yaml: no such file."),
        (".", ".: expected a YAML file, found a folder"),
        ("study.yaml/x", "study.yaml/x: cannot be read: Not a directory"),
    ],
)
def test_a_file_that_is_not_there(write, name, message):
    write(b"run: {}")
    with pytest.raises(ConfigError, match=rf"\A{re.escape(message)}\Z"):
        read_document(Path(name))


def test_a_type_that_a_value_does_not_have_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("run:\n  seed: !!int abc\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"study\.yaml:2: not YAML: .*abc"):
        read_document(path)


def test_the_folder_of_a_user_who_is_not_there_is_a_path_like_others() -> None:
    found = resolve_path(PlacedText("~nosuchuser/x", Path("/studies")))
    assert found == Path("/studies/~nosuchuser/x")


@pytest.mark.parametrize("name", ["no", "1e-5", "2024-01-01", "~", "a: b", "x y" * 99, "\u00e9 #"])
def test_a_dumped_model_reads_back_equal(tmp_path, name):
    datasets = {"2024": tmp_path / "data"}
    study = Study(run=Run(name=name, learning_rate=1e-5, layers=(1, 2), datasets=datasets))
    path = tmp_path / "study.yaml"
    path.write_text(dump(study), encoding="utf-8")
    assert validate(read_document(path), Study) == study
