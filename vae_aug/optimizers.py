"""Several optimisers in one training step, each with variables of its own."""

import keras


class Together(keras.optimizers.Optimizer):
    """Hands each variable of a model to one of several optimisers.

    Keras' own `MultiOptimizer` came with version 3.15, and the project runs on 3.12 too. Of its own it has no learning
    rate that matters; those of `optimizers` do.

    Args:
        optimizers: Keras optimisers.
        sizes: how many variables each takes, in the order of the model's `trainable_variables`.
    """

    def __init__(self, optimizers, sizes):
        super().__init__(learning_rate=0.0)
        self.optimizers, self.sizes = list(optimizers), tuple(sizes)

    def _parts(self, items):
        items, start = list(items), 0
        if len(items) != sum(self.sizes):
            raise ValueError(f"the optimisers take {sum(self.sizes)} variables. Received: {len(items)}")
        for optimizer, size in zip(self.optimizers, self.sizes, strict=True):
            yield optimizer, items[start : start + size]
            start += size

    def build(self, variables):
        if self.built:
            return
        super().build(list(variables))
        for optimizer, own in self._parts(variables):
            optimizer.build(own)

    @property
    def variables(self):
        return [*super().variables, *(variable for inner in self.optimizers for variable in inner.variables)]

    def apply(self, grads, trainable_variables=None):
        """Takes a step with every optimiser, which also applies the constraints of its variables."""
        if trainable_variables is None:  # as in JAX' stateless step
            trainable_variables = self._trainable_variables
        self.build(trainable_variables)
        pairs = zip(self._parts(grads), self._parts(trainable_variables), strict=True)
        for (optimizer, gradients), (_, variables) in pairs:
            if variables:
                optimizer.apply(gradients, variables)
        self._iterations.assign_add(1)

    def reset_moments(self):
        """Forgets moments and steps, and keeps the learning rates, as if the optimisers were made anew."""
        for optimizer in self.optimizers:
            for variable in optimizer.variables:
                if variable.name != "learning_rate":
                    variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
