"""The run's configuration: what does not fit together is refused when it is read."""

import pytest
from conftest import RunConfigFactory
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"tasks.slots.dataset": "corpsu"},
            r"tasks\.slots\.dataset: there is no data set 'corpsu'; .*Did you mean 'corpus'\?",
        ),
        (
            {"tasks.slots.weight": 0, "tasks.intent.weight": 0},
            r"tasks: the weights of all tasks are 0; at least one has to train",
        ),
        (
            {"datasets.more": {"kind": "sample"}},
            r"datasets\.more: no task uses this data set; remove it",
        ),
        (
            {"tasks.slots.column": "intent"},
            r"tasks\.slots\.column: column 'intent' is used both as label and tags",
        ),
        ({"tasks.slots.weight": -1}, r"tasks\.slots.*weight\n.*greater than or equal to 0"),
        (
            {"tasks.text": {"kind": "tagging", "dataset": "corpus", "column": "slots"}},
            r"tasks\.text: 'text' is the text itself in the JSON of a prediction",
        ),
        (
            {"tasks.combined": {"kind": "tagging", "dataset": "corpus", "column": "slots"}},
            r"tasks\.combined: 'combined' is the objective in result\.json",
        ),
        ({"tasks.a b": {}}, r"String should match pattern"),
        (
            {"tasks.slots.dataset": []},
            r"tasks\.slots\.dataset: the list is empty; data sets: corpus",
        ),
        ({"tasks": {}}, r"tasks\n.*at least 1 item"),
        ({"datasets": {}}, r"datasets\n.*at least 1 item"),
        ({"optimizer.encoder_lr": float("nan")}, r"encoder_lr\n.*finite number"),
        ({"training.epoch": 3}, r"training\.epoch\n.*Extra inputs are not permitted"),
        ({"freezing": {"kind": "lower_layers", "layers": 0}}, r"greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_refused(
    run_config: RunConfigFactory, overrides: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        run_config(overrides)


def test_one_column_may_serve_two_tasks_of_a_kind(run_config: RunConfigFactory) -> None:
    again = {"kind": "classification", "dataset": "corpus", "column": "intent"}
    config = run_config({"tasks.again": again})
    columns = [(column.task_name, column.column) for column in config.columns("corpus")]
    assert columns == [("intent", "intent"), ("slots", "slots"), ("again", "intent")]


def test_configuration_is_frozen(run_config: RunConfigFactory) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        run_config().seed = 3  # type: ignore[misc]
