"""The callback that writes what TensorBoard shows."""

import itertools
import os
import socket
import struct
import time

import keras

_FILES = itertools.count()


class TensorBoardScalars(keras.callbacks.Callback):
    """Writes the logs of every epoch for TensorBoard, without TensorFlow, which Keras' own needs.

    As there, `train` and `validation` are two curves of one chart, `epoch_loss` and the like.

    Args:
        folder: str. Gets `train/` and, with validation, `validation/`; they are made if missing.

    Raises:
        ImportError: without tensorboard.
    """

    def __init__(self, folder):
        from tensorboard.compat.proto import event_pb2
        from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

        super().__init__()
        self.folder = folder
        self._event, self._checksum = event_pb2.Event, masked_crc32c
        self._paths = {}

    def on_epoch_end(self, epoch, logs=None):
        parts = {"train": {}, "validation": {}}
        for name, value in (logs or {}).items():
            part = "validation" if name.startswith("val_") else "train"
            parts[part][f"epoch_{name.removeprefix('val_')}"] = float(value)
        for part, scalars in parts.items():
            if scalars:
                self._write(part, epoch, scalars)

    def _write(self, part, epoch, scalars):
        if part not in self._paths:
            self._paths[part] = self._begun(os.path.join(self.folder, part))
        event = self._event(wall_time=time.time(), step=epoch)
        for tag, value in scalars.items():
            event.summary.value.add(tag=tag, simple_value=value)
        self._append(self._paths[part], event)

    def _begun(self, folder):
        os.makedirs(folder, exist_ok=True)
        now = time.time()
        name = f"events.out.tfevents.{now:.0f}.{socket.gethostname()}.{os.getpid()}.{next(_FILES)}"
        path = os.path.join(folder, name)
        self._append(path, self._event(wall_time=now, file_version="brain.Event:2"))
        return path

    def _append(self, path, event):
        """A TFRecord: length, its checksum, the event, its checksum."""
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        checksums = [struct.pack("<I", self._checksum(each)) for each in (length, data)]
        with open(path, "ab") as file:
            file.write(length + checksums[0] + data + checksums[1])
