"""Loading a study: names and paths, the space against the schema of `run`, data and encoder."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mtl_core.errors import ConfigError, DataError
from tuning.study.find import find_study
from tuning.study.load import check_data, load_study

WriteStudy = Callable[..., str]


@pytest.fixture
def write_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: Path, tiny_encoder: Path
) -> WriteStudy:
    """Writes study.yaml into the current folder: `search` stands in lines 7 and following."""
    monkeypatch.chdir(tmp_path)

    def write(search: str = "", *, study: str = "trials: 2", encoder: Path = tiny_encoder) -> str:
        text = f"""run:
  encoder: {{name: "{encoder}"}}
  datasets: {{corpus: {{kind: seq_in_out, path: "{corpus}"}}}}
  tasks:
    intent: {{kind: classification, dataset: corpus, column: intent}}
    slots: {{kind: tagging, dataset: corpus, column: slots}}
search: {{{search}}}
study: {{{study}}}
"""
        Path("study.yaml").write_text(text, encoding="utf-8")
        return "study.yaml"

    return write


@pytest.mark.parametrize("name", ["atis", "demo", "snips"])
def test_a_bundled_study_is_found_by_name_and_fits_the_schema(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()  # a folder of the same name hides nothing
    study = load_study(name)
    assert find_study(name).name == f"{name}.yaml"
    assert study.study.name == name
    assert study.search


def test_a_name_that_is_neither_file_nor_bundled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = r"\Adem: .* bundled: atis, demo, .*, translation\. Did you mean 'demo'\?\Z"
    with pytest.raises(ConfigError, match=message):
        find_study("dem")


def test_overrides_win_over_the_file_and_the_last_one_wins(write_study):
    path = write_study(study="trials: 1")
    study = load_study(path, ["training.epochs=7", "study.name=other", "training.epochs=9"])
    assert (study.study.name, study.run.training.epochs) == ("other", 9)
    assert load_study(path).study.name == "study"


def test_a_space_inside_the_schema_is_taken_as_it_stands(write_study):
    search = (
        "optimizer.warmup: {range: [0, 0.99]}, training.precision: {choice: [bf16, fp32]}, "
        "freezing: {choice: [{kind: none}, {kind: lower_layers, layers: {int_range: [1, 2]}}]}"
    )
    assert list(load_study(write_study(search)).search.entries) == [
        "optimizer.warmup",
        "training.precision",
        "freezing",
    ]


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (
            "optimiser.encoder_lr: {log_range: [1e-5, 1e-3]}",
            "search.optimiser.encoder_lr: unknown key 'run.optimiser'; allowed here: encoder, "
            "datasets, tasks, mixing, freezing, weighting, optimizer, training, seed. "
            "Did you mean 'optimizer'?",
        ),
        (
            "optimizer.encoder_rate: {log_range: [1e-5, 1e-3]}",
            "search.optimizer.encoder_rate: unknown key 'run.optimizer.encoder_rate'; allowed",
        ),
        (
            "optimizer.head_lr: {range: [-1, 1]}",
            "search.optimizer.head_lr: expected a number greater than 0, found -1.0",
        ),
        (
            "tasks.intent.column.of: {range: [1, 2]}",
            "search.tasks.intent.column.of: expected a section at 'run.tasks.intent.column', "
            "found 'intent'",
        ),
        (
            "optimizer.warmup: {range: [0, 1]}",
            "search.optimizer.warmup: expected a number less than 1, found 1.0",
        ),
        (
            "tasks.slot.weight: {range: [1, 2]}",
            "search.tasks.slot.weight: run.tasks has no 'slot'; allowed: intent, slots. "
            "Did you mean 'slots'?",
        ),
        (
            "freezing: {choice: [{kind: none}, {kind: lower_layers, layers: {int_range: [0, 2]}}]}",
            "search.freezing: run.freezing.layers: expected a number greater than or equal to 1, "
            "found 0",
        ),
        (
            "freezing: {choice: [{kind: none}, {kind: lower_layer}]}",
            "search.freezing: run.freezing.kind: unknown kind 'lower_layer'; allowed: ",
        ),
        (
            "freezing: {choice: [{kind: none}, {kind: encoder}]}, freezing.kind: {choice: [a, b]}",
            "search.freezing.kind: lies inside 'freezing', which is searched as a whole",
        ),
    ],
)
def test_a_space_that_leaves_the_schema_is_refused_at_its_line(write_study, search, message):
    with pytest.raises(ConfigError, match=rf"\A{re.escape(f'study.yaml:7: {message}')}.*\Z"):
        load_study(write_study(search))


def test_all_errors_of_a_space_come_at_once(write_study):
    path = write_study("seeds: {int_range: [0, 1]}, optimizer.head_lr: {range: [-2, -1]}")
    with pytest.raises(ConfigError, match=r"search\.seeds: unknown key") as caught:
        load_study(path)
    assert [line.partition(": ")[2][:24] for line in str(caught.value).splitlines()] == [
        "search.seeds: unknown ke",
        "search.optimizer.head_lr",
        "search.optimizer.head_lr",
    ]


@pytest.mark.parametrize(
    ("space", "found"),
    [
        ("training.epochs: {range: [1, 4]}", "search.training.epochs: .*, found 2.14"),
        (
            "freezing: {choice: [{kind: encoder}, {kind: lower_layers, layers: {range: [1, 3]}}]}",
            "search.freezing: .*, found 1.76",
        ),
    ],
)
def test_broken_numbers_for_a_key_of_whole_ones_are_refused(write_study, space, found):
    message = rf"\Astudy.yaml:7: {found}; for whole numbers: int_range\Z"
    with pytest.raises(ConfigError, match=message) as caught:
        load_study(write_study(space))
    assert "expected a whole number" in str(caught.value)


def test_a_space_in_which_no_task_trains_is_refused(write_study):
    path = write_study("tasks.intent.weight: {range: [0, 1]}")
    message = r"\Astudy.yaml:7: search.tasks.intent.weight: .*the weights of all tasks are 0"
    with pytest.raises(ConfigError, match=message):
        load_study(path, ["tasks.slots.weight=0"])


def test_a_range_typed_on_the_command_line_is_named_as_it_was_typed(write_study):
    typed = "search.optimizer.head_lr={range: [-1, 1]}"
    message = r'\A--set search.optimizer.head_lr=\{"range": \[-1, 1\]\}: expected a number'
    with pytest.raises(ConfigError, match=message):
        load_study(write_study(), [typed])


def test_checked_data_counts_rows_and_labels(write_study, corpus):
    study = load_study(write_study(study="trials: 1"))
    dataset = check_data(study).datasets["corpus"]
    intents = set((corpus / "train/label").read_text(encoding="utf-8").split())
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {
        "train": 60,
        "dev": 24,
        "test": 24,
    }
    assert set(dataset.labels["intent"].trained) == intents


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("freezing={kind: lower_layers, layers: 4}", r"\Arun: freezing\.layers: .*; found 4\Z"),
        (
            "search.freezing={choice: [{kind: none}, {kind: lower_layers, layers: 4}]}",
            r"\Asearch\.freezing: freezing\.layers: expected at most 3, .*; found 4\Z",
        ),
    ],
)
def test_freezing_more_layers_than_the_encoder_has(write_study, assignment, message):
    study = load_study(write_study("seed: {int_range: [0, 9]}"), [assignment])
    with pytest.raises(ConfigError, match=message):
        check_data(study)


def test_joint_accuracy_of_numbers_alone_is_refused(write_study, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(f'{{"text": "play {n}", "stars": {n}}}' for n in range(8)))
    changes = [
        f"datasets={{rows: {{kind: jsonl, splits: {{train: {rows}, dev: {rows}}}}}}}",
        "tasks={stars: {kind: regression, dataset: rows, column: stars}}",
        "study.objective={kind: joint_accuracy}",
    ]
    study = load_study(write_study(study="trials: 1"), changes)
    with pytest.raises(ConfigError, match=r"study\.objective: joint_accuracy needs a task"):
        check_data(study)


def test_freezing_all_layers_that_the_encoder_has_is_allowed(write_study):
    path = write_study(study="trials: 1")
    assert check_data(load_study(path, ["freezing={kind: lower_layers, layers: 3}"]))


def test_an_encoder_without_weights_is_refused(write_study, tiny_encoder, tmp_path):
    folder = tmp_path / "weightless"
    shutil.copytree(tiny_encoder, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    study = load_study(write_study(study="trials: 1", encoder=folder))
    with pytest.raises(ConfigError, match=r"weightless holds no weights; expected model\.safe"):
        check_data(study)


def test_data_that_is_not_there_is_refused(write_study):
    study = load_study(write_study(study="trials: 1"), ["datasets.corpus.path=nowhere"])
    with pytest.raises(DataError, match=r"nowhere/train/seq\.in: .*No such file"):
        check_data(study)


def test_default_storage_is_an_absolute_folder_below_the_current_one() -> None:
    assert load_study("demo").folder == Path.cwd() / "runs" / "demo"


@pytest.mark.parametrize(
    ("file", "name"), [("my study", "my-study"), ("-=(v2)", "v2-"), ("***", "study")]
)
def test_a_study_file_may_be_called_anything(write_study, file: str, name: str) -> None:
    path = Path(write_study(study="trials: 1")).rename(f"{file}.yaml")
    assert load_study(str(path)).study.name == name


def test_without_a_search_the_default_recipe_is_run_once(write_study) -> None:
    assert load_study(write_study(study="")).trials == 1
    with pytest.raises(ConfigError, match=r"^study\.yaml:8: study\.trials: .* 1, found 24$"):
        load_study(write_study(study="trials: 24"))


def test_keys_of_search_do_not_begin_with_run(write_study) -> None:
    path = write_study("run.optimizer.head_lr: {range: [0.1, 0.2]}")
    with pytest.raises(ConfigError, match=r"search\.run\..*; leave out 'run\.'$"):
        load_study(path)


def test_a_range_has_two_ends(write_study) -> None:
    path = write_study("optimizer.head_lr: {range: [1, 2, 3]}")
    with pytest.raises(ConfigError, match=r"expected at most 2 items, found"):
        load_study(path)


def test_a_study_that_cannot_be_a_folder_is_refused(write_study) -> None:
    with pytest.raises(ConfigError, match=r"expected the name of a folder, .* found 'a/b'$"):
        load_study(write_study(study="trials: 1"), ["study.name=a/b"])


def test_names_that_no_folder_can_have_are_refused(write_study) -> None:
    path = write_study(study="trials: 1")
    assert len(load_study(path, [f"study.name={'a' * 150}"]).study.name) == 150
    with pytest.raises(ConfigError, match=r"expected a name of at most 150 characters, .* 5,000$"):
        load_study(path, [f"study.name={'a' * 5000}"])
    long = Path(path).rename(f"{'b' * 240}.yaml")
    assert load_study(str(long)).study.name == "b" * 150


def test_an_address_is_no_folder_for_studies(write_study) -> None:
    path = write_study(study="trials: 1")
    with pytest.raises(ConfigError, match=r"expected a path, found the address 's3://bucket/x'"):
        load_study(path, ["study.storage=s3://bucket/x"])


def test_a_part_that_is_no_section_is_told_where_it_stands(write_study) -> None:
    path = Path(write_study(study="trials: 1"))
    text = path.read_text(encoding="utf-8").replace("study: {trials: 1}", "study: 3")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^study\.yaml:8: study: expected a section, found 3$"):
        load_study(str(path))
    path.write_text(text.replace("study: 3", "study:"), encoding="utf-8")
    assert load_study(str(path)).study.name == "study"


@pytest.mark.parametrize("name", ["a" * 5000, "a/" * 5000, "a\0b", "x\0.yaml"])
def test_a_study_that_no_file_can_be_called_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match=r"no such file|no bundled study|cannot be read"):
        load_study(name)


@pytest.mark.parametrize("key", ["datasets.corpus.path", "study.storage", "encoder.name"])
def test_a_path_that_no_file_can_have_is_told(write_study, key: str) -> None:
    path = write_study(study="trials: 1")
    with pytest.raises(ConfigError, match=rf"^--set {key}=.*: expected a path, found a NUL char"):
        load_study(path, [f'{key}="./a\\0b"'])


@pytest.mark.parametrize("kind", ["tagging", "regression", "multilabel"])
def test_a_kind_whose_section_has_other_keys_cannot_be_searched_alone(write_study, kind) -> None:
    path = write_study(f"tasks.intent.kind: {{choice: [classification, {kind}]}}")
    with pytest.raises(ConfigError) as error:
        load_study(path)
    assert str(error.value) == (
        f"study.yaml:7: search.tasks.intent.kind: the other keys of 'tasks.intent' do not go with "
        f"'{kind}'; search the section as a whole: tasks.intent: "
        "{choice: [{kind: ..}, {kind: ..}]}"
    )
    # Where the kinds have the same keys, or none, it is fine.
    path = write_study("mixing.kind: {choice: [proportional, round_robin, joint]}")
    assert load_study(path).space.to_drawn({"mixing.kind": "joint"})


def test_a_pipe_is_no_study_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "study")
    with pytest.raises(ConfigError, match=r"study: cannot be read: it is a pipe, no file; make"):
        load_study(str(tmp_path / "study"))


def test_a_section_of_a_union_is_not_told_to_be_a_number(write_study) -> None:
    path = write_study(study="trials: 1")
    with pytest.raises(ConfigError) as error:
        load_study(path, ["datasets.corpus.limit={trian: 5}"])
    assert len(str(error.value).splitlines()) == 1
    assert "unknown key 'run.datasets.corpus.limit.trian'" in str(error.value)


def test_paths_among_options_start_from_the_file(tmp_path, monkeypatch):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "study.yaml").write_text(
        "run:\n"
        "  datasets:\n"
        "    a: {kind: lines, splits: {train: a.txt, dev: 0.5}}\n"
        "    b: {kind: lines, splits: {train: c.txt, dev: 0.5}}\n"
        "    s: {kind: sample}\n"
        "  tasks:\n"
        "    words: {kind: masked_lm, dataset: [a, b]}\n"
        "    intent: {kind: classification, dataset: s, column: intent}\n"
        "search:\n"
        "  datasets.a.splits.train: {choice: [a.txt, b.txt]}\n"
        "  datasets.b:\n"
        "    choice:\n"
        "      - {kind: lines, splits: {train: c.txt, dev: 0.5}}\n"
        "      - {kind: lines, splits: {train: d.txt, dev: d.txt}}\n"
        "      - {kind: lines, splits: {train: e.txt, dev: 0.5}, limit: {int_range: [5, 9]}}\n"
        "  encoder.name: {ordered: [./encoder, a/hub-id], prior: {likely: ./encoder}}\n"
        "  try: [{encoder.name: ./encoder}, {datasets.a.splits.train: b.txt}]\n"
        "study: {trials: 3}\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    study = load_study(str(tmp_path / "study.yaml"))
    search = study.search.entries
    assert search["datasets.a.splits.train"].choice == (f"{tmp_path}/a.txt", f"{tmp_path}/b.txt")
    assert [option["splits"] for option in search["datasets.b"].choice] == [
        {"train": f"{tmp_path}/c.txt", "dev": 0.5},
        {"train": f"{tmp_path}/d.txt", "dev": f"{tmp_path}/d.txt"},
        {"train": f"{tmp_path}/e.txt", "dev": 0.5},
    ]
    assert search["encoder.name"].ordered == (f"{tmp_path}/encoder", "a/hub-id")
    assert search["encoder.name"].prior.likely == f"{tmp_path}/encoder"
    assert study.given_points[1:] == [
        {"encoder.name": 0},
        {"datasets.a.splits.train": f"{tmp_path}/b.txt"},
    ]


def test_a_prior_that_the_sampler_cannot_use_is_refused_at_its_line(write_study) -> None:
    search = "optimizer.head_lr: {range: [0.001, 0.1], prior: {likely: 0.01}}"
    study = "trials: 2, sampler: {kind: grid, points: 2}"
    message = r"\Astudy.yaml:7: search.optimizer.head_lr: found a prior, .* 'grid' makes no use"
    with pytest.raises(ConfigError, match=message):
        load_study(write_study(search, study=study))
