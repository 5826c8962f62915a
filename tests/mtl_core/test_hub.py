"""Models on the hub: pushed, found again, and what is said when that cannot be."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Mtl, RunConfigFactory
from hub_server import Hub, serving_hub
from saved_models import train_and_export

from mtl_core.errors import ConfigError, NotReadyError
from mtl_core.hub import find_model, push_model
from mtl_core.predictor import Predictor

TEXT = "play some jazz by miles davis in paris"


@pytest.fixture(scope="module")
def model(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pushed")
    train_and_export(run_config({"training.epochs": 1}), folder)
    return folder / "model"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with serving_hub(monkeypatch) as server:
        yield server


def test_a_pushed_model_predicts_the_same_where_it_is_found_again(
    model: Path, hub: Hub, mtl: Mtl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pushed = mtl("push", str(model), "someone/intents")
    assert (pushed.code, pushed.out) == (0, f"{hub.address}/someone/intents\n")
    files = hub.models["someone/intents"]["main"]
    there = {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()}
    # Rows of data stay at home.
    assert there - files.keys() == {"errors.json"}
    assert files.keys() <= there
    assert {name for name in files if files[name] != (model / name).read_bytes()} == {"run.yaml"}

    monkeypatch.chdir(tmp_path)  # where no folder has that name
    [expected] = Predictor.load(model)(TEXT)
    [found] = Predictor.load("someone/intents")(TEXT)
    assert found == expected
    said = mtl("predict", "someone/intents", "--json", TEXT)
    assert (said.code, json.loads(said.out)) == (0, json.loads(expected.to_json()))


def test_a_pushed_model_says_nothing_of_the_machine(
    model: Path, corpus: Path, tiny_encoder: Path, hub: Hub
) -> None:
    push_model(model, "someone/intents")
    files = hub.models["someone/intents"]["main"]
    assert str(corpus) in (model / "run.yaml").read_text()
    for name, content in files.items():
        for place in (str(corpus.parent), str(tiny_encoder.parent), str(model.parent), "/tmp"):
            assert place.encode() not in content, name
    assert corpus.name in files["run.yaml"].decode()


def test_a_folder_comes_before_the_hub(
    model: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, "someone/intents")
    assert find_model("someone/intents") == Path("someone/intents")
    assert hub.asked == []
    with pytest.raises(ConfigError, match=r"only models on the hub have one, and someone/intents"):
        find_model("someone/intents", revision="main")


def test_a_study_or_a_run_stands_for_its_model(model: Path, hub: Hub, tmp_path: Path) -> None:
    assert find_model(model.parent) == model  # the folder of `mtl train`
    study = tmp_path / "study"
    shutil.copytree(model, study / "best")
    (study / "study.yaml").touch()
    assert find_model(str(study)) == study / "best"
    push_model(study, "someone/intents")
    assert "mtl.json" in hub.models["someone/intents"]["main"]
    shutil.rmtree(study / "best")
    with pytest.raises(ConfigError, match=r"study/best: no model in this folder"):
        Predictor.load(study)


def test_a_revision_is_what_is_loaded(model: Path, hub: Hub, mtl: Mtl) -> None:
    push_model(model, "someone/intents")
    push_model(model, "someone/intents", revision="other")
    branches = hub.models["someone/intents"]
    assert branches["main"] == branches["other"]
    branches["other"]["mtl.json"] = b'{"format": 99}'
    assert mtl("predict", "someone/intents", TEXT).code == 0
    refused = mtl("predict", "someone/intents@other", TEXT)
    assert refused.code == 2
    assert "expected format 5, found 99" in refused.err
    with pytest.raises(ConfigError, match="expected format 5, found 99"):
        Predictor.load("someone/intents", revision="other")
    refused = mtl("predict", "someone/intents@third", TEXT)
    assert (refused.code, refused.err) == (
        2,
        "error: someone/intents: there is no such folder, and from the hub: it has no such "
        "revision\n",
    )


def test_only_files_of_the_model_are_pushed_and_old_ones_go(
    model: Path, hub: Hub, tmp_path: Path
) -> None:
    folder = shutil.copytree(model, tmp_path / "model")
    (folder / "notes.txt").write_text("mine")
    (folder / ".env").write_text("secret")
    push_model(folder, "someone/intents")
    files = hub.models["someone/intents"]["main"]
    assert "modules.json" in files
    assert not files.keys() & {"notes.txt", ".env"}
    files["LICENSE"] = b"of its owner"
    (folder / "modules.json").unlink()
    push_model(folder, "someone/intents")
    assert "modules.json" not in files
    assert files["LICENSE"] == b"of its owner"


def test_a_private_model_is_never_made_public(model: Path, hub: Hub, mtl: Mtl) -> None:
    assert mtl("push", str(model), "someone/secret", "--private").code == 0
    assert hub.private == {"someone/secret"}
    push_model(model, "someone/open")
    before = dict(hub.models["someone/open"]["main"])
    hub.models["someone/open"]["main"].pop("mtl.json")
    refused = mtl("push", str(model), "someone/open", "--private")
    assert refused.code == 2
    assert refused.err.startswith("error: someone/open: is there already, and public; --private")
    assert hub.models["someone/open"]["main"].keys() == before.keys() - {"mtl.json"}


def test_what_the_cache_holds_is_used_when_the_hub_is_gone(
    model: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    push_model(model, "someone/intents")
    first = find_model("someone/intents")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{free_port()}")
    assert find_model("someone/intents") == first
    assert "someone/intents: from the cache; http://127.0.0.1" in caplog.text


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("command", ["predict", "evaluate", "push"])
def test_a_hub_that_nobody_reaches_is_one_line_at_once(
    command: str, model: Path, hub: Hub, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    words = {"push": ("push", str(model), "a/b"), "predict": ("predict", "a/b", TEXT)}
    start = time.monotonic()
    refused = mtl(*words.get(command, (command, "a/b")))
    assert time.monotonic() - start < 5
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (75, "", 1)
    assert f"{address} cannot be reached: Connection refused" in refused.err
    assert refused.err.startswith("error: a/b: ")


def test_a_hub_that_never_answers_is_not_waited_for(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtl_core.hub.TIMEOUT", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        start = time.monotonic()
        with pytest.raises(NotReadyError, match=r"cannot be reached: (timed out|.*[Tt]imeout)"):
            find_model("a/b")
        assert time.monotonic() - start < 3


def test_offline_is_offline(
    model: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    push_model(model, "a/kept")
    kept = find_model("a/kept")
    hub.asked.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert find_model("a/kept") == kept
    with pytest.raises(ConfigError, match=r"a/b: .* not in the cache, and HF_HUB_OFFLINE keeps"):
        find_model("a/b")
    assert (hub.asked, caplog.text) == ([], "")


def test_what_is_no_model_of_mtl_is_not_fetched(hub: Hub, mtl: Mtl) -> None:
    hub.models["someone/bert"] = {"main": {"config.json": b"{}", "model.safetensors": b"x" * 1000}}
    refused = mtl("predict", "someone/bert", TEXT)
    assert (refused.code, refused.err) == (
        2,
        "error: someone/bert: no model of mtl on the hub, there is no mtl.json in it\n",
    )
    assert not [asked for asked in hub.asked if "resolve" in asked]


def test_a_misspelt_folder_is_looked_for_on_the_hub_and_told_of(
    hub: Hub, mtl: Mtl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # Here may be studies of the user.
    refused = mtl("predict", "runs/demmo", TEXT)
    assert refused.code == 2
    assert refused.err.startswith(
        "error: runs/demmo: there is no such folder, and from the hub: no such model, or a private "
    )
    refused = mtl("predict", "./runs/demmo", TEXT)
    assert refused.err.startswith("error: ./runs/demmo: there is no such folder")


def test_folders_near_a_model_lead_to_it(
    model: Path, hub: Hub, mtl: Mtl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("runs/train/demo/model", "runs/tuned/best", "runs/kept"):
        Path(folder).mkdir(parents=True)
        shutil.copy(model / "mtl.json", folder)
    Path("runs/tuned/study.yaml").touch()
    Path("tickets.csv").touch()
    for name, message in {
        "runs": "no model in this folder; below it: runs/kept, runs/train/demo, runs/tuned",
        "runs/train": "no model in this folder; below it: runs/train/demo",
        "tickets.csv": "it is a file, expected the folder of a model, or USER/NAME on the hub",
        "runs/kepd": "there is no such folder. Did you mean 'runs/kept'?",
        "rusn/kept": "there is no such folder. Did you mean 'runs/kept'?",
        "runs/trian/demo": "there is no such folder. Did you mean 'runs/train/demo'?",
    }.items():
        refused = mtl("evaluate", name)
        assert (refused.code, refused.err) == (2, f"error: {name}: {message}\n")
    # A path of thousands of parts, which is none.
    assert mtl("evaluate", "x/" * 2000).err.endswith("/: there is no such folder\n")
    for number in range(3):
        shutil.copytree("runs/kept", f"runs/old{number}")
    assert "runs/kept, runs/old0, runs/old1 and 3 more\n" in mtl("evaluate", "runs").err
    nothing = mtl("evaluate", "runs/nothing").err
    assert "no such folder; models in runs: runs/kept, runs/old0, " in nothing
    assert nothing.index("models in runs") < nothing.index("from the hub: no such model")


def test_who_is_not_logged_in_is_told_how(
    model: Path, hub: Hub, mtl: Mtl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    refused = mtl("push", str(model), "someone/intents")
    assert (refused.code, refused.err) == (
        2,
        "error: someone/intents: nobody is logged in to the hub; log in with `hf auth login`, or "
        "set HF_TOKEN\n",
    )


def test_a_token_without_the_right_to_write_is_told_of(model: Path, hub: Hub, mtl: Mtl) -> None:
    hub.may_write = False
    refused = mtl("push", str(model), "someone/intents")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert "the token has no right to do this" in refused.err


def test_a_card_that_the_hub_does_not_take_is_told_of(model: Path, hub: Hub, mtl: Mtl) -> None:
    hub.card_errors = ['"license" must be one of apache-2.0, mit']
    refused = mtl("push", str(model), "someone/intents")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert '"license" must be one of apache-2.0, mit' in refused.err
    assert "cannot be reached" not in refused.err
    assert not hub.models["someone/intents"]["main"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("push", "nowhere", "a/b"), "nowhere: no model in this folder, there is no mtl.json"),
        (("push", "MODEL", "name"), "name: expected USER/NAME, the name of a model on the hub"),
        (("push", "MODEL", "a/b/c"), "a/b/c: expected USER/NAME"),
        (("push", "MODEL", "../b"), "../b: expected USER/NAME"),
    ],
)
def test_what_cannot_be_pushed_is_refused_before_anything_is_sent(
    words: tuple[str, ...], message: str, model: Path, hub: Hub, mtl: Mtl
) -> None:
    refused = mtl(*(str(model) if word == "MODEL" else word for word in words))
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert message in refused.err
    assert hub.asked == []


def test_a_model_from_the_hub_is_scored_on_data_that_all_have(
    run_config: RunConfigFactory, hub: Hub, mtl: Mtl, tmp_path: Path
) -> None:
    changes = {"datasets.corpus": {"kind": "sample", "limit": 24}, "training.epochs": 1}
    train_and_export(run_config(changes), tmp_path)
    push_model(tmp_path / "model", "someone/sample")
    here, there = (mtl("evaluate", name) for name in (str(tmp_path / "model"), "someone/sample"))
    assert here.code == 0
    assert there.out == here.out


def test_a_model_that_has_come_without_its_data_names_the_way(
    model: Path, hub: Hub, mtl: Mtl
) -> None:
    push_model(model, "someone/intents")
    refused = mtl("evaluate", "someone/intents")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert "/corpus" in refused.err
    assert refused.err.endswith("; to score the model on a file of yours: --file\n")
