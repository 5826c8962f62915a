"""What was trained behind a search: read from the reports of runs, those of baselines included."""

from pathlib import Path

from trials import report

from tuning.study.folder import StudyFolder
from tuning.study.gains import Baseline
from tuning.study.trained import Trained, trained_behind


def write(folder: StudyFolder, run_id: str, epochs: int) -> None:
    """Begins a run that has reported so many epochs, each of 2 s."""
    folder.begin_run(run_id, {})
    for number in range(1, epochs + 1):
        folder.add_report(run_id, report(number, 0.5))


def test_runs_behind_the_search_are_counted_where_they_lie(tmp_path: Path) -> None:
    folder, alone = StudyFolder(tmp_path / "demo"), StudyFolder(tmp_path / "alone" / "intent-1")
    write(folder, "0000", 9)
    write(folder, "final/0000/seed-1", 3)
    write(folder, "final/0003/seed-1", 2)
    # It has begun, and not reported.
    write(folder, "final/0003/seed-2", 0)
    write(alone, "0000", 4)
    write(alone, "final/0000/seed-1", 3)
    seconds = report(1, 0.5).seconds
    assert seconds > 0
    final = Trained(2, 5, 5 * seconds)
    assert trained_behind(folder, None) == (final,)
    baselines = {"intent": Baseline("alone/intent-1"), "lost": Baseline("alone/lost-1")}
    assert trained_behind(folder, baselines) == (final, Trained(2, 7, 7 * seconds, "intent"))


def test_a_broken_folder_of_a_baseline_is_passed_over(tmp_path: Path) -> None:
    folder, alone = StudyFolder(tmp_path / "demo"), StudyFolder(tmp_path / "alone" / "intent-1")
    write(alone, "0000", 1)
    alone.reports("0000").write_text("{}\n")
    assert trained_behind(folder, {"intent": Baseline("alone/intent-1")}) == ()
