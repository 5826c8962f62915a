"""A whole study: seconds until the best dev score, ours against what a user would do instead.

Both search the same space (loss weights, weighting, learning rates, freezing) on the sample corpus
with 16 trials (`--trials`) of up to 3 epochs, two at a time on 2 cores, by TPE and ASHA, with the
bundled encoder:

- ours: `mtl tune demo`, here on the whole corpus, in what `auto` is here or in `--precision`;
- theirs: Ray Tune with its OptunaSearch and ASHA over one TorchTrainer per trial, in each of which
  a Transformers `Trainer` in its defaults (fp32) trains the same model and reports every epoch.

The searchers draw different points, so the two studies end at different scores; compared is the
time at which each first reached the lower of the two best ones. How soon a search finds its last
points is luck: `--seeds 0 1 2` runs both once per seed of the searchers, and adds the medians. With
`--plot FILE.svg` the best dev score against wall time is drawn.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from _harness import Row, with_precision, write

CORES = 2
ALL = "run.datasets.sample.limit=null"
OURS, THEIRS = "mtl", "Ray Tune + TorchTrainer + Trainer"
Curve = list[tuple[float, float]]
"""(seconds since the start, dev score), of every report."""


def ours(storage: Path, trials: int, seed: int, settings: Sequence[str] = ()) -> Curve:
    """Runs our study, with settings as `--set` takes them; returns its reports with their times."""
    from _shares import Clock

    from tuning.run.tune import tune_study
    from tuning.study.load import load_study

    options = {"storage": storage, "trials": trials, "seed": seed}
    given = [f"study.{key}={value}" for key, value in options.items()]
    study = load_study("demo", [ALL, *given, *settings])
    # The start of Ray counts, on both sides.
    clock = Clock(CORES)
    result = tune_study(study, watcher=clock)
    assert result.trials["status"].isin(["complete", "stopped"]).all()
    for what, share in clock.shares().items():
        print(f"seed {seed}: {share:4.0%} {what}", flush=True)
    return clock.reports


def train_with_transformers(config: dict[str, Any]) -> None:
    """The train function of theirs, in a Ray Train worker."""
    import ray.train
    from _peers import fit_trainer, make_peer, score

    from mtl_core.config import RunConfig

    run = RunConfig.model_validate(config)
    peer = make_peer(run)
    fit_trainer(run, peer, lambda: ray.train.report({"combined": score(run, peer)}))


def one_trainer_per_trial(config: dict[str, Any]) -> None:
    """The Tune function of theirs."""
    from _peers import fit_torch_trainer

    from mtl_core.study_file import override

    run = override(json.loads(config["run"]), json.loads(config["freezing"]))
    keys = ("optimizer.encoder_lr", "optimizer.head_lr", "tasks.slots.weight", "weighting.kind")
    drawn = override(run, {key: config[key] for key in keys})
    fit_torch_trainer(train_with_transformers, drawn, config["storage"])


def theirs(storage: Path, trials: int, seed: int, settings: Sequence[str] = ()) -> Curve:
    """Runs their study; settings are those of ours alone."""
    start, curve = time.perf_counter(), Curve()
    import ray
    from ray import tune
    from ray.tune.schedulers import AsyncHyperBandScheduler
    from ray.tune.search.optuna import OptunaSearch

    from tuning.study.load import load_study

    class Watch(tune.Callback):  # type: ignore[misc]
        def on_trial_result(self, result: dict[str, Any], **info: Any) -> None:
            curve.append((time.perf_counter() - start, result["combined"]))

    run = load_study("demo", [ALL]).run.model_dump(mode="json")
    run["training"]["precision"] = "fp32"  # The default of a Transformers `Trainer`.
    frozen = [{"freezing": {"kind": "none"}}, {"freezing": {"kind": "embeddings"}}]
    frozen += [{"freezing": {"kind": "lower_layers", "layers": n}} for n in range(1, 5)]
    # The space of the demo study, in Tune's words. Sections as text, since choices of Optuna are
    # plain values.
    space = {
        "run": json.dumps(run),
        "storage": str(storage),
        "optimizer.encoder_lr": tune.loguniform(3e-5, 1e-3),
        "optimizer.head_lr": tune.loguniform(3e-4, 1e-2),
        "tasks.slots.weight": tune.loguniform(0.5, 5),
        "weighting.kind": tune.choice(["fixed", "uncertainty"]),
        "freezing": tune.choice([json.dumps(section) for section in frozen]),
    }
    # Workers are processes of their own, and have to find `_peers` and the packages.
    paths = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    # One more than the workers take: trials that hold a crumb of a CPU while both workers wait for
    # a whole one block each other for ever.
    # With the dashboard, as is Ray's default: Train asks it whether a stopped trial's controller
    # is gone, and keeps the CPU until it knows.
    ray.init(address="local", num_cpus=CORES + 1, log_to_driver=False, logging_level="ERROR")
    try:
        results = tune.Tuner(
            tune.with_resources(one_trainer_per_trial, {"CPU": 0.001}),
            param_space=space,
            tune_config=tune.TuneConfig(
                metric="combined",
                mode="max",
                num_samples=trials,
                max_concurrent_trials=CORES,
                search_alg=OptunaSearch(seed=seed),
                # The scheduler of the demo study, on the same rungs.
                scheduler=AsyncHyperBandScheduler(max_t=3, grace_period=1, reduction_factor=4),
            ),
            run_config=tune.RunConfig(
                name="theirs", storage_path=str(storage), verbose=0, callbacks=[Watch()]
            ),
        ).fit()
        assert not results.errors
    finally:
        ray.shutdown()
    return curve


def reached(curve: Curve, score: float) -> float:
    """Returns the seconds after which a score was first reached."""
    return next(seconds for seconds, found in curve if found >= score)


def draw(path: Path, curves: Mapping[str, Sequence[Curve]]) -> None:
    """Draws the best dev score of each study against wall time; a dot is its end."""
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.rcParams["svg.hashsalt"] = "mtl"  # the same figures make the same file
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for number, (name, studies) in enumerate(curves.items()):
        for study, curve in enumerate(studies):
            best, points = 0.0, [(0.0, 0.0)]
            for seconds, score in curve:
                best = max(best, score)
                points.append((seconds / 60, 100 * best))
            x, y = zip(*points, strict=True)
            axes.step(x, y, where="post", color=f"C{number}", label=None if study else name)
            axes.plot(x[-1], y[-1], "o", color=f"C{number}")
    low = min(curve[0][1] for studies in curves.values() for curve in studies)
    axes.set(xlabel="minutes to the report", ylabel="best dev score, %", ylim=(100 * low, None))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, metadata={"Date": None})


def compare(seed: int, mine: Curve, other: Curve) -> tuple[Row, Row]:
    """Returns the rows of a seed: time to the score that both reached, and time of the whole."""
    best, best_other = (max(score for _, score in curve) for curve in (mine, other))
    shared = min(best, best_other)  # Both have reached it, so `reached` finds it in both.
    first, first_other = reached(mine, shared), reached(other, shared)
    last, last_other = mine[-1][0], other[-1][0]
    what = f"seed {seed}, dev score {shared:.4f} (best {best:.4f}, {best_other:.4f})"
    every = f"seed {seed}, all trials ({len(mine)}, {len(other)} epochs)"
    return (
        Row.of(what, first, first_other, "seconds", first_other / first, 8.0),
        Row.of(every, last, last_other, "seconds", last_other / last, None),
    )


def median(what: str, rows: Sequence[Row]) -> Row:
    """Returns a row of the medians of others."""
    mine, other, ratio = (
        statistics.median(getattr(row, key) for row in rows) for key in ("ours", "theirs", "ratio")
    )
    return Row.of(what, mine, other, "seconds", ratio, rows[0].target)


def main() -> None:
    """Runs both studies once per seed and writes the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--plot", type=Path, help="SVG file for the curves")
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the searchers")
    options = with_precision(parser)
    settings = [f"run.training.precision={options.precision}"]
    if any(process.info["name"] == "gcs_server" for process in psutil.process_iter(["name"])):
        # Train's question after a stopped trial then has two addresses to go to, and fails.
        raise SystemExit("study_time: stop the other Ray on this machine first")
    curves: dict[str, list[Curve]] = {OURS: [], THEIRS: []}
    for seed in options.seeds:
        # One after the other, since each takes all cores.
        with tempfile.TemporaryDirectory() as scratch:
            for name, run in ((OURS, ours), (THEIRS, theirs)):
                curve = run(Path(scratch) / run.__name__, options.trials, seed, settings)
                curves[name].append(curve)
    pairs = [
        compare(seed, *both)
        for seed, both in zip(options.seeds, zip(*curves.values(), strict=True), strict=True)
    ]
    rows = [row for pair in pairs for row in pair]
    if len(pairs) > 1:
        shared, whole = zip(*pairs, strict=True)
        rows += [median("median, same dev score", shared), median("median, all trials", whole)]
    write("study_time", rows, options.json, curves, precision=options.precision)
    if options.plot is not None:
        draw(options.plot, curves)


if __name__ == "__main__":
    main()
