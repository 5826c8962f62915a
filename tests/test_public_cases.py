"""Cases from public reports, with their inputs, where `shared/cases` stands beside the project.

Each name below is a folder of inputs; its README says what people met there. What is right stands
here. The same kinds of faults are tested on other inputs beside the code that they concern.
"""

import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Mtl

from mtl_core.files import hold
from tuning.cluster.answering import wait_for_answer

CASES = Path(__file__).parents[2] / "shared" / "cases"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases"),
]


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the case that the test is named after, the current folder meanwhile."""
    name = request.node.originalname.removeprefix("test_")
    folder = tmp_path / name
    shutil.copytree(CASES / name, folder)
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    return folder


def checked(mtl: Mtl, *arguments: str) -> str:
    """What `mtl check` prints, on both streams; it has to accept the study."""
    outcome = mtl("check", "study.yaml", *arguments)
    assert outcome.code == 0, outcome.err
    return outcome.out + outcome.err


def refused(mtl: Mtl, *arguments: str, code: int = 2) -> str:
    """The lines of an error; no traceback is among them."""
    outcome = mtl(*arguments)
    assert outcome.code == code, outcome.out
    assert "Traceback" not in outcome.err
    return outcome.err


def trained(mtl: Mtl, *arguments: str) -> str:
    outcome = mtl("train", "study.yaml", "--output", "out", *arguments)
    assert outcome.code == 0, outcome.err
    return outcome.out + outcome.err


def predicted(mtl: Mtl, file: str) -> list[dict[str, object]]:
    outcome = mtl("predict", "out", "--json", "--file", file)
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_01_span_at_punctuation(case: Path, mtl: Mtl) -> None:
    trained(mtl)
    scores = json.loads(mtl("evaluate", "out", "--json").out)
    rows = predicted(mtl, "test_raw.txt")
    Path("pred.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    counted = subprocess.run(
        [sys.executable, "score.py"], capture_output=True, text=True, check=True
    )
    f1 = float(counted.stdout.split()[-1])
    assert f1 > 0.9
    assert f"{scores['scores']['ner']['f1']:.4f}" == f"{f1:.4f}"


def test_02_chinese_predict_raw(case: Path, mtl: Mtl) -> None:
    trained(mtl)
    first = predicted(mtl, "test_raw.txt")[0]["ner"]
    assert isinstance(first, list)
    found = {(span["start"], span["end"], span["type"]) for span in first}
    assert found == {(0, 2, "PER"), (4, 6, "LOC")}


def test_03_labelstudio_native_all_o(case: Path, mtl: Mtl) -> None:
    error = refused(mtl, "check", "study.yaml")
    assert "there is no key 'annotations.result' in any row" in error
    # The way that the message names.
    keys = ("spans", "text", "start", "end", "label")
    study = Path("study.yaml").read_text()
    kept = study.split("text: data.text")[0] + "splits:" + study.split("splits:")[1]
    assert not any(f"{key}:" in kept.split("datasets")[1].split("splits")[0] for key in keys)
    Path("study.yaml").write_text(kept)
    assert "B-" in checked(mtl)


def test_04_json_dates_become_times(case: Path, mtl: Mtl) -> None:
    out = checked(mtl)
    assert "2024-01-01 12" in out
    assert "00:00" not in out
    assert "6 of 9 rows" not in out


def test_05_csv_float_class_names(case: Path, mtl: Mtl) -> None:
    out = checked(mtl)
    assert "1.0" not in out
    assert "train lacks" not in out


def test_06_list_literal_cells(case: Path, mtl: Mtl) -> None:
    out = checked(mtl)
    assert "calm 24" in out
    assert "loud 12" in out


def test_07_multi_hot_rows(case: Path, mtl: Mtl) -> None:
    assert "name the labels: tasks.y.names" in refused(mtl, "check", "study.yaml")
    assert "rude" in checked(mtl, "--set", "tasks.y.names=[rude, threat, spam]")


def test_08_features_number_jsonl(case: Path, mtl: Mtl) -> None:
    for name in ("age", "lst"):
        done = mtl("train", f"{name}.yaml", "--output", name, "--set", "training.epochs=1")
        assert done.code == 0, done.err
    facts = [json.loads(Path(name, "model/mtl.json").read_text()) for name in ("age", "lst")]
    assert [one["tasks"]["y"]["features"] for one in facts] == [1, 1]


def test_09_iob1_read_as_iob2(case: Path, mtl: Mtl) -> None:
    assert "schemes: {ner: iob1}" in checked(mtl)
    assert "count as none" not in checked(mtl, "--set", "datasets.d.schemes={ner: iob1}")


def test_10_lone_surrogate_spans_json(case: Path, mtl: Mtl) -> None:
    error = refused(mtl, "check", "study.yaml")
    assert "train.jsonl:1: " in error
    assert "surrogate" in error


@pytest.mark.parametrize("family", ["bart", "squeezebert"])
def test_11_bart_cannot_be_saved(case: Path, mtl: Mtl, family: str) -> None:
    make_encoder(family)
    checked(mtl)
    trained(mtl)
    assert mtl("predict", "out", "nice").code == 0


def test_12_gpt2_pairs(case: Path, mtl: Mtl) -> None:
    make_encoder("gpt2")
    checked(mtl)
    trained(mtl)
    said = mtl("predict", "out", "--json", "nice day\tgood weather")
    assert said.code == 0, said.err
    row = json.loads(said.out)
    assert row["text_pair"] == "good weather"
    assert row["k"]["label"]


def test_13_t5_check_passes(case: Path, mtl: Mtl) -> None:
    make_encoder("t5")
    checked(mtl)
    trained(mtl)
    said = mtl("predict", "out", "--json", "nice day")
    assert said.code == 0, said.err
    assert json.loads(said.out)["k"]["label"]


def make_encoder(family: str) -> None:
    # Where the name that the script imports stands today.
    module = "mtl_core.model.backbones.source"
    script = Path("make_encoder.py").read_text().replace("mtl_core.model.encoder", module)
    subprocess.run([sys.executable, "-c", script, family], check=True, capture_output=True)


def test_14_doccano_list_spans(case: Path, mtl: Mtl) -> None:
    assert "B-GOOD 24" in checked(mtl)


def test_15_squad_int_ids(case: Path, mtl: Mtl) -> None:
    assert "question_answering" in checked(mtl)


def test_16_bare_bio(case: Path, mtl: Mtl) -> None:
    assert "B-ner 72" in checked(mtl)


def test_17_dead_ray_address(case: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6399")
    monkeypatch.setattr(wait_for_answer, "__kwdefaults__", {"seconds": 1.0})
    error = refused(mtl, "tune", "study.yaml", code=75)
    assert "error: RAY_ADDRESS=127.0.0.1:6399: no Ray answers" in error


def test_18_two_trains_one_folder(case: Path, mtl: Mtl) -> None:
    Path("out").mkdir()
    lock = hold(Path("out").absolute())
    error = refused(mtl, "train", "study.yaml", "--output", str(Path("out").absolute()), code=75)
    lock.release()
    assert "another process trains in" in error


def test_19_warnings_only_once(case: Path, mtl: Mtl, caplog: pytest.LogCaptureFixture) -> None:
    said = "16 of 16 rows (100 %) stand in train, too"
    assert said in checked(mtl)
    for _ in range(2):
        caplog.clear()
        trained(mtl)
        assert said in caplog.text  # The command line prints what is logged as a warning.


def test_20_weights_file_mode(case: Path, mtl: Mtl) -> None:
    before = os.umask(0o027)
    try:
        trained(mtl)
    finally:
        os.umask(before)
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in Path("out").rglob("*") if p.is_file()}
    locks = {path for path in modes if path.name == ".lock"}
    assert {path: oct(modes[path]) for path in modes.keys() - locks if modes[path] != 0o640} == {}


def test_21_disk_full_traceback(case: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000 * 1024, 20000 * 1024))

    done = subprocess.run(
        [sys.executable, "-m", "tuning", "train", "study.yaml", "--output", "out"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "error: cannot write out/checkpoint/state.pt: File too large" in done.stderr
    assert "Traceback" not in done.stderr


def test_22_json_null_first_block(case: Path, mtl: Mtl) -> None:
    subprocess.run([sys.executable, "make.py"], check=True)
    out = checked(mtl)
    assert "34 of 40 rows (85 %) have no label" in out


def test_23_hub_csv_none_label(case: Path, mtl: Mtl) -> None:
    out = checked(mtl)
    assert all(f"{label} 10" in out for label in ("NA", "None", "anger"))


def test_24_search_option_cannot_run(case: Path, mtl: Mtl) -> None:
    error = refused(mtl, "check", "study.yaml")
    assert "search.encoder.name" in error
    assert "/no/such/folder" in error


def test_25_recipe_changed_unnamed(case: Path, mtl: Mtl) -> None:
    trained(mtl)
    error = refused(
        mtl, "train", "study.yaml", "--output", "out", "--set", "optimizer.encoder_lr=1e-3"
    )
    assert "run.optimizer.encoder_lr = 5e-05, here it is 0.001" in error


def test_no_case_is_left_out() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.name for path in CASES.iterdir() if path.is_dir()} <= tested
