"""Signatures run by TensorFlow's C API, in a program without Python."""

import os
import re
import shutil
import subprocess
import sysconfig

import numpy as np
import pytest

HERE = os.path.dirname(__file__)
NUMBERS = {"float32": 1, "int32": 3, "object": 7, "int64": 9, "bool": 10}  # of dtypes in TensorFlow
DTYPES = {number: dtype for dtype, number in NUMBERS.items()}


def build(folder):
    """The program's path; skips the test where there is no gcc."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: the C API is not tried")
    tensorflow = os.path.join(sysconfig.get_paths()["purelib"], "tensorflow")
    source, program = os.path.join(HERE, "run_signatures.c"), os.path.join(folder, "run_signatures")
    # Linked with a library of the same name and functions, for the linker would read the wheel's
    # gigabyte for ten seconds; run with the wheel's.
    with open(source) as file:
        names = sorted(set(re.findall(r"\bTF_\w+(?=\()", file.read())))
    empty, library = os.path.join(folder, "empty.c"), "libtensorflow_cc.so.2"
    with open(empty, "w") as file:
        file.writelines(f"void {name}(void) {{}}\n" for name in names)
    gcc = ["gcc", "-L" + folder, "-I" + os.path.join(tensorflow, "include")]
    made = os.path.join(folder, library)
    subprocess.run([*gcc, "-shared", empty, "-o", made, "-Wl,-soname," + library], check=True)
    options = ["-l:" + library, "-Wl,-rpath," + tensorflow]
    subprocess.run([*gcc, source, "-o", program, *options], check=True)
    return program


def signature_defs(version):
    """What the SavedModel says of its signatures, by name."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    with open(os.path.join(version, "saved_model.pb"), "rb") as file:
        (graph,) = SavedModel.FromString(file.read()).meta_graphs
    return {name: of for name, of in graph.signature_def.items() if of.inputs}


def answers(program, folder, calls):
    """Runs signatures.

    Args:
        program: what `build` returned.
        folder: str, for the files between the two processes.
        calls: dict of lists of (signature's name, SignatureDef, dict of arrays) by version's path.

    Returns:
        dict of dicts of arrays, "signature.output", by version's path.

    Raises:
        RuntimeError: TensorFlow refused; its words are in the message.
    """
    plan, outputs = [], {}
    for version, of_version in calls.items():
        plan.append(f"load {version}")
        for name, signature, given in of_version:
            plan.append(f"run {len(signature.inputs)} {len(signature.outputs)}")
            for key, info in signature.inputs.items():
                path = os.path.join(folder, f"in-{len(plan)}")
                array = np.asarray(given[key])
                with open(path, "wb") as file:
                    file.write(_bytes(array))
                shape = " ".join(map(str, array.shape))
                number = NUMBERS[array.dtype.name]
                plan.append(f"{_operation(info)} {number} {array.ndim} {shape} {path}")
            for key, info in signature.outputs.items():
                path = os.path.join(folder, f"out-{len(plan)}")
                plan.append(f"{_operation(info)} {path}")
                outputs[path] = version, f"{name}.{key}"
    with open(os.path.join(folder, "plan"), "w") as file:
        file.write("\n".join(plan) + "\n")
    command = [program, file.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found = {version: {} for version in calls}
    for path, (version, name) in outputs.items():
        found[version][name] = _array(path)
    return found


def _operation(info):
    return info.name.replace(":", " ")


def _bytes(array):
    if array.dtype != object:
        return array.tobytes()
    return b"".join(len(each).to_bytes(8, "little") + each for each in array)


def _array(path):
    with open(path, "rb") as file:
        data = file.read()
    dtype, rank = np.frombuffer(data, "int64", 2)
    shape = np.frombuffer(data, "int64", rank, 16)
    data = data[16 + 8 * rank :]
    if DTYPES[dtype] != "object":
        return np.frombuffer(data, DTYPES[dtype]).reshape(shape)
    strings = []
    while data:
        end = 8 + int.from_bytes(data[:8], "little")
        strings.append(data[8:end])
        data = data[end:]
    return np.array(strings, "O").reshape(shape)
