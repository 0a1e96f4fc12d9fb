"""From a model of any backend to a SavedModel for TensorFlow Serving."""
