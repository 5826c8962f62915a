"""`mtl report` reads the study folder and nothing else."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from conftest import RunConfigFactory
from trials import report

from mtl_core.kept import BrokenError
from mtl_core.model_folder import ERRORS
from mtl_core.study_file import dump
from tuning.report.write import write_report
from tuning.study.config import StudyFile
from tuning.study.facts import StudyFacts, facts_of, read_facts, write_facts
from tuning.study.folder import StudyFolder
from tuning.study.journal import open_optuna

SEARCH = {
    "optimizer.head_lr": {"range": [0.5, 1.5]},
    "weighting.kind": {"choice": ["fixed", "uncertainty"]},
}


@pytest.fixture
def folder(tmp_path: Path, run_config: RunConfigFactory) -> StudyFolder:
    """A study of two trials, both complete; of the default only a part lies in the space."""
    run = run_config({"optimizer.head_lr": 1e-3}).model_dump(mode="json")
    study = StudyFile.model_validate(
        {"run": run, "search": SEARCH, "study": {"name": "tiny", "storage": str(tmp_path)}}
    )
    folder = StudyFolder(study.folder)
    folder.trials.mkdir(parents=True)
    folder.study.write_text(dump(study))
    trials = open_optuna(folder.journal, name="tiny", sampler=optuna.samplers.RandomSampler(seed=0))
    for number, score in enumerate((0.25, 0.75)):
        trials.tell(trials.ask(), score)
        folder.begin_run(f"000{number}", study.run)
        folder.add_report(f"000{number}", report(1, score))
    write_facts(folder, facts_of(study))
    return folder


def test_facts_are_read_as_they_were_written(folder: StudyFolder) -> None:
    parameters = {"optimizer.head_lr": 1e-3, "weighting.kind": "fixed"}
    assert read_facts(folder) == StudyFacts("tiny", "mean", "fp32", parameters)


def test_a_folder_of_an_older_version_has_the_same_report(folder: StudyFolder) -> None:
    text = write_report(folder.path)
    assert "| 2 | 0000 | complete | 25.00 | 25.00 | `0.001` | `fixed` |" in text
    folder.facts.unlink()
    assert write_report(folder.path) == text


def test_axes_of_the_page_have_the_scales_of_the_search(folder: StudyFolder) -> None:
    trials = open_optuna(folder.journal, name="tiny", sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = {"optimizer.head_lr": optuna.distributions.FloatDistribution(0.5, 1.5)}
    for number in (2, 3):
        trials.tell(trials.ask(drawn), 0.5)
        folder.begin_run(f"000{number}", folder.read_study().run)
        folder.add_report(f"000{number}", report(1, 0.5))
    # The default lies far below the range, which is no log range for that.
    write_report(folder.path)
    page = folder.page.read_text(encoding="utf-8")
    figure = page.partition("optimizer.head_lr</h3>")[2].partition("</figure>")[0]
    assert '"xaxis":{' in figure
    assert '"type":"log"' not in figure


def test_broken_errors_of_the_best_model_are_one_line_and_leave_the_report(
    folder: StudyFolder,
) -> None:
    before = write_report(folder.path)
    folder.best.mkdir()
    (folder.best / ERRORS).write_text('{"intent": {"rows": "many"}}')
    with pytest.raises(
        BrokenError, match=r"best/errors\.json: .*intent\.rows: .*'many'; .*remove it"
    ):
        write_report(folder.path)
    assert folder.report.read_text() == before


def test_a_report_imports_neither_ray_nor_torch(folder: StudyFolder) -> None:
    code = (
        "import sys; sys.argv = ['mtl', 'report', sys.argv[1]]\n"
        "from tuning.cli.app import main\n"
        "try: main()\n"
        "finally: print([name for name in ('ray', 'torch', 'transformers') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(folder.path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == "# Study tiny"
    assert done.stdout.splitlines()[-1] == "[]"


def test_its_commands_work_from_any_folder(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Interrupted as well: one trial of three is missing.
    texts = []
    for here, path in ((folder.path.parent, Path("tiny")), (folder.path, Path()), ("/", None)):
        monkeypatch.chdir(here)
        for trials in (1, 3):
            text = folder.study.read_text()
            folder.study.write_text(re.sub("(?m)^  trials: .*$", f"  trials: {trials}", text))
            texts.append(write_report(path if path is not None else folder.path))
    assert len(set(texts[::2])) == len(set(texts[1::2])) == 1
    for text in texts[:2]:
        commands = re.findall("(?ms)^```sh\n(.*?)\n```$", text)
        paths = [word for one in commands for word in shlex.split(one) if str(tmp_path) in word]
        assert [one.split()[0] for one in commands][-2:] == ["mtl", "tensorboard"]
        assert len(paths) >= 3
        assert all(one.split("=")[-1].startswith(str(folder.path.parent)) for one in paths)
        assert not re.search(r"(?<![\w/.-])tiny/", " ".join(commands))
