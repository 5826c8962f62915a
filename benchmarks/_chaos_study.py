"""The small studies that `chaos.py` disturbs, and what has to be the same of two that ended."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from trial_overhead import make_inputs

NAME = "study"
SENTENCES, LAYERS, EPOCHS, TRIALS, SOAK_TRIALS = 480, 2, 8, 8, 500
REPORT_TIMEOUT_S = 45
"""For the studies in which workers hang; loading takes some seconds of it on a busy machine."""

_TIMES = frozenset({"seconds", "evaluation_seconds", "sentences_per_second"})
"""What no two runs have in common, and no scores."""

_ENDED = {1: "complete", 2: "stopped", 3: "failed"}
"""Numbers of Optuna's `TrialState`."""

_NONE: dict[str, object] = {"kind": "none"}
SETUPS: Mapping[str, Mapping[str, object]] = {
    # What is drawn and stopped hangs on all that came before: a trial that is lost shows.
    "asha": {"resources": {"trainers": 1}},
    # Draws of this sampler do not hang on which of two trainers is the faster one.
    "pair": {"sampler": {"kind": "random"}, "scheduler": _NONE, "resources": {"trainers": 2}},
    "workers": {"scheduler": _NONE, "trials": 4, "resources": {"trainers": 1, "workers": 2}},
    "timeout": {
        "sampler": {"kind": "random"},
        "scheduler": _NONE,
        "resources": {"trainers": 2},
        "report_timeout_s": REPORT_TIMEOUT_S,
    },
    "short": {"scheduler": _NONE, "trials": 9, "resources": {"trainers": 1}},
    "soak": {"scheduler": _NONE, "trials": SOAK_TRIALS, "resources": {"trainers": 1}},
}
"""Name -> the `study` section of a study that ends the same whenever it runs undisturbed."""

_ALONE: dict[str, object] = {"resources": {"trainers": 1}}
"""With several, what is drawn and stopped hangs on which of them is the faster one."""

_SEVERAL = _ALONE | {"objective": {"kind": "pareto"}}
# A population is the same on any number of trainers.
_POPULATION = {"resources": {"trainers": 2}}
_PROMOTING = {"form": "promoting"}
_PAIRS: Sequence[tuple[Mapping[str, object], Mapping[str, object], Mapping[str, object]]] = (
    ({"kind": "tpe", "startup_trials": 3}, {"kind": "asha", **_PROMOTING}, _ALONE),
    ({"kind": "gp", "startup_trials": 3}, {"kind": "pasha"}, _ALONE),
    ({"kind": "cma_es", "population_size": 4}, {"kind": "hyperband"}, _ALONE),
    ({"kind": "qmc"}, {"kind": "median"}, _ALONE),
    ({"kind": "grid", "points": 5}, {"kind": "asha"}, _ALONE),
    ({"kind": "random"}, {"kind": "pbt"}, _POPULATION),
    ({"kind": "nsga2", "population_size": 3}, {"kind": "pareto_asha"}, _SEVERAL),
    ({"kind": "nsga3", "population_size": 3}, {"kind": "pareto_asha", **_PROMOTING}, _SEVERAL),
    ({"kind": "imported", "class_path": "optuna.samplers:TPESampler"}, _NONE, _ALONE),
)
"""Sampler, scheduler and the rest of `study`: no fewer have every kind of both. A test says so."""


def _searches() -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for sampler, scheduler, rest in _PAIRS:
        form = " ".join(str(scheduler[key]) for key in ("form", "kind") if key in scheduler)
        name = f"{sampler['kind']} and {form}"
        found[name] = {"sampler": sampler, "scheduler": scheduler, **rest}
    return found


SEARCHES = _searches()
"""Name -> the `study` section, of studies whose points and pauses hang on all that came before."""


class Inputs:
    """The data and the encoder of all studies."""

    def __init__(
        self,
        folder: Path,
        *,
        sentences: int = SENTENCES,
        layers: int = LAYERS,
        epochs: int = EPOCHS,
    ) -> None:
        """Writes them into an empty folder."""
        self._run = make_inputs(folder, sentences=sentences, layers=layers)
        self._run["training"] = {"epochs": epochs, "batch_size": 8, "precision": "fp32"}
        self._run["optimizer"] = {"encoder_lr": 1e-3, "head_lr": 1e-2}

    def write(self, folder: Path, setup: str) -> Path:
        """Writes the study file of a setup, whose study folder lies below `folder`."""
        study = {
            "name": NAME,
            "storage": str(folder / "runs"),
            "trials": TRIALS,
            **{**SETUPS, **SEARCHES}[setup],
        }
        frozen = {"kind": "lower_layers", "layers": 1}
        search = {
            "optimizer.head_lr": {"log_range": [1e-3, 1e-1]},
            "freezing": {"choice": [_NONE, frozen]},
        }
        path = folder / "study.yaml"
        raw = {"run": self._run, "search": search, "study": study}
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return path


def journal_of(folder: Path) -> list[dict[str, Any]]:
    """Returns the records of a study's journal; none of half a last line."""
    path = folder / "optuna.journal"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    return [json.loads(line) for line in lines]


def ended_of(folder: Path) -> dict[str, str]:
    """Returns run id -> how it ended, of the trials that have."""
    return {
        f"{record['trial_id']:04d}": _ENDED[record["state"]]
        for record in journal_of(folder)
        if record["op_code"] == 6 and record["state"] in _ENDED
    }


def reports_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns run id -> its reports without times; none of half a last line."""
    found = {}
    for path in sorted(folder.glob("trials/*/reports.jsonl")):
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        reports = [json.loads(line) for line in lines]
        found[path.parent.name] = [
            {name: value for name, value in report.items() if name not in _TIMES}
            for report in reports
        ]
    return found


def essence_of(folder: Path) -> dict[str, Any]:
    """Returns all of a study that ended which must not hang on what happened meanwhile."""
    parameters: dict[str, dict[str, object]] = {}
    taken_over: dict[str, object] = {}
    for record in journal_of(folder):
        if record["op_code"] == 5:
            of_trial = parameters.setdefault(f"{record['trial_id']:04d}", {})
            of_trial[record["param_name"]] = record["param_value_internal"]
        elif record["op_code"] == 8 and "taken_over" in record["user_attr"]:
            # All that the trial has taken over so far: one that is noted twice shows.
            taken_over[f"{record['trial_id']:04d}"] = record["user_attr"]["taken_over"]
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    del result["seconds"]
    weights = sorted((folder / "best").glob("*.safetensors"))
    return {
        "ended": ended_of(folder),
        "parameters": parameters,
        "taken_over": taken_over,
        "reports": reports_of(folder),
        "result": result,
        "weights": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in weights},
    }


def differences(found: Any, wanted: Any, where: str = "") -> list[str]:
    """Returns the places in which two trees of plain data differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [
            place
            for key in sorted(found.keys() | wanted.keys())
            for place in differences(found.get(key), wanted.get(key), f"{where}/{key}")
        ]
    return [] if found == wanted or str(found) == str(wanted) else [where]  # NaN = NaN


def without_trials(essence: Mapping[str, Any], run_ids: set[str]) -> dict[str, Any]:
    """Returns what is left of a study without some trials, and without what was found over all."""
    return {
        part: {run_id: value for run_id, value in essence[part].items() if run_id not in run_ids}
        for part in ("ended", "parameters", "taken_over", "reports")
    }


def without_reports(essence: Mapping[str, Any], run_ids: set[str]) -> dict[str, Any]:
    """Returns a study without the reports of some trials, and what is known by them alone."""
    left = {key: value for key, value in essence["reports"].items() if key not in run_ids}
    result = {**essence.get("result", {})}
    for name in ("best", "default"):
        if result.get(name, {}).get("trial") in run_ids:
            result[name] = {**result[name], "precision": None}
    return {**essence, "reports": left, "result": result}


def lost(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Returns the trials that a study lacks, or that failed in it alone."""
    return [
        run_id
        for run_id, status in wanted["ended"].items()
        if found["ended"].get(run_id, "failed") == "failed" != status
    ]


def told_twice(folder: Path) -> list[str]:
    """Returns trials that Optuna was told of twice, and reports that came twice."""
    told: dict[tuple[int, object], int] = {}
    for record in journal_of(folder):
        event: object = None
        if record["op_code"] == 6 and record["state"] in _ENDED:
            event = "end"
        elif record["op_code"] == 7:
            event = record["step"]
        if event is not None:
            key = record["trial_id"], event
            told[key] = told.get(key, 0) + 1
    found = [f"trial {trial}, {event}" for (trial, event), times in told.items() if times > 1]
    for run_id, reports in reports_of(folder).items():
        numbers = [report["number"] for report in reports]
        if numbers != list(range(1, len(numbers) + 1)):
            found.append(f"trial {run_id}, reports {numbers}")
    return found


def half_written(folder: Path) -> list[str]:
    """Returns files of a study that ended which are half there, or should be gone."""
    found = [str(path.relative_to(folder)) for path in folder.rglob("*.part")]
    if (folder / ".scratch").exists():
        found.append(".scratch")
    for path in (*folder.rglob("*.json"), *folder.rglob("*.jsonl")):
        text = path.read_text(encoding="utf-8")
        lines = text.split("\n")[:-1] if path.suffix == ".jsonl" else [text]
        try:
            for line in lines:
                json.loads(line, parse_constant=_refuse)
        except ValueError:
            found.append(str(path.relative_to(folder)))
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
