"""Adam on PyTorch, in one pass over the weights."""

import functools

import torch
from keras.src.backend.torch.optimizers.torch_adam import Adam


def update_fused(optimizer):
    """Lets an Adam or AdamW of Keras' update with PyTorch's fused kernel, to the same numbers.

    Keras' own makes a temporary of all weights for each of a product, a root, a sum and a quotient.

    Args:
        optimizer: keras.optimizers.Optimizer; another one stays as it is.
    """
    if getattr(type(optimizer), "_parallel_update_step", None) is Adam._parallel_update_step:
        vars(optimizer)["_parallel_update_step"] = functools.partial(_update, optimizer)


def _update(optimizer, gradients, variables, learning_rate):
    index = [optimizer._get_variable_index(variable) for variable in variables]

    def values(slots):
        return [slots[i].value for i in index]

    t = (optimizer.iterations.value + 1).to(gradients[0].dtype)
    # Of Keras' epsilon, which is added before the bias is corrected, PyTorch's kernel is right if
    # both corrections are in the rate: after infinitely many steps it makes none itself.
    correction = (1.0 - optimizer.beta_2**t).sqrt() / (1.0 - optimizer.beta_1**t)
    forever = torch.full((), torch.inf, device=gradients[0].device)
    torch._fused_adam_(
        [variable.value for variable in variables],
        [gradient.contiguous() for gradient in gradients],
        values(optimizer._momentums),
        values(optimizer._velocities),
        values(optimizer._velocity_hats) if optimizer.amsgrad else [],
        [forever] * len(index),
        lr=learning_rate * correction,
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        weight_decay=0.0,
        eps=optimizer.epsilon,
        amsgrad=optimizer.amsgrad,
        maximize=False,
    )
