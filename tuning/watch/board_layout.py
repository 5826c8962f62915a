"""The custom layout of TensorBoard: a chart per task, with its loss in training and its dev scores.

Its tab "Custom Scalars" shows it; the tab "Scalars" has every curve in a chart of its own.
"""

from collections.abc import Iterable

from tensorboard.compat.proto import types_pb2
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.plugins.custom_scalar import layout_pb2, metadata


def layout_of(tasks: Iterable[str]) -> Summary:
    """Returns the summary that tells TensorBoard which curves stand in one chart.

    Args:
        tasks: Names of the tasks that have a loss or scores.
    """
    charts = [_chart("objective", ["dev/combined", "dev_sample/combined", "best/combined"])]
    charts += [
        _chart(task, [f"train/loss/{task}", *(f"{dev}/{task}/.*" for dev in ("dev", "dev_sample"))])
        for task in tasks
    ]
    layout = layout_pb2.Layout(
        category=[layout_pb2.Category(title="train and dev together", chart=charts)]
    )
    # By hand: `custom_scalar.summary` makes it as well, but wants TensorFlow.
    tensor = TensorProto(dtype=types_pb2.DT_STRING, string_val=[layout.SerializeToString()])
    tensor.tensor_shape.SetInParent()  # A scalar: a shape of no dimensions, and not of none known.
    value = Summary.Value(
        tag=metadata.CONFIG_SUMMARY_TAG,
        metadata=metadata.create_summary_metadata(),
        tensor=tensor,
    )
    return Summary(value=[value])


def _chart(title: str, curves: Iterable[str]) -> layout_pb2.Chart:
    # TensorBoard matches at the beginning of a tag alone. Names of tasks are letters, digits, "_"
    # and "-", which mean themselves.
    content = layout_pb2.MultilineChartContent(tag=[f"{curve}$" for curve in curves])
    return layout_pb2.Chart(title=title, multiline=content)
