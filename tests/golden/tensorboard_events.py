"""Writes tests/golden/tensorboard_events.json: events as the tensorboard package serialises and frames them.

Usage: python tests/golden/tensorboard_events.py     (tensorboard; its version is in the file)
"""
import io
import json
import pathlib

import tensorboard
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

TIME = 1700000000.25


def text_value(tag, text):
    metadata = summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text"))
    shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)])
    tensor = tensor_pb2.TensorProto(dtype="DT_STRING", tensor_shape=shape, string_val=[text.encode()])
    return summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


events = {
    "version": event_pb2.Event(wall_time=TIME, file_version="brain.Event:2"),
    "restart": event_pb2.Event(wall_time=TIME, step=301, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)),
    "scalars": event_pb2.Event(wall_time=TIME, step=7, summary=summary_pb2.Summary(value=[
        summary_pb2.Summary.Value(tag="train/loss", simple_value=2.5), summary_pb2.Summary.Value(tag="train/lr", simple_value=3e-4)])),
    "text": event_pb2.Event(wall_time=TIME, step=100000, summary=summary_pb2.Summary(value=[text_value("samples", "狐狸 *jumps*\n")])),
}
golden = {"made_by": f"tensorboard {tensorboard.__version__}"}
for name, event in events.items():
    data = event.SerializeToString(deterministic=True)
    framed = io.BytesIO()
    RecordWriter(framed).write(data)
    golden[name] = {"event": data.hex(), "record": framed.getvalue().hex()}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden, indent=1) + "\n")
