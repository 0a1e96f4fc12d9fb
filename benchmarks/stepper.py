"""Keras' compiled train function without the loop of `fit` around it."""

import keras


def stepper(model, batch):
    """A function that runs Keras' compiled train function, as `fit` does, some number of times.

    It returns the logs of the last.
    """
    model.make_train_function()
    backend = keras.backend.backend()
    if backend == "tensorflow":  # which `fit` gives an iterator that is part of the graph
        import tensorflow as tf

        endless = iter(tf.data.Dataset.from_tensors((batch,)).repeat())

    def run_jax(steps):
        state = model._get_jax_state(
            trainable_variables=True,
            non_trainable_variables=True,
            optimizer_variables=True,
            metrics_variables=True,
            purge_model_variables=True,
        )
        for _ in range(steps):
            logs, state = model.train_function(state, iter([(batch,)]))
        float(next(iter(logs.values())))
        names = ("trainable", "non_trainable", "optimizer", "metrics")
        model._jax_state = {
            f"{name}_variables": values for name, values in zip(names, state, strict=True)
        }
        model._jax_state_synced = False
        model.jax_state_sync()
        return logs

    def run(steps):
        for _ in range(steps):
            data = endless if backend == "tensorflow" else [(batch,)]
            logs = model.train_function(data)
        float(next(iter(logs.values())))
        return logs

    return run_jax if backend == "jax" else run
