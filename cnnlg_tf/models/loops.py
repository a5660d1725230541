"""Steps that are done again and again: a loop of the graph, or each written out for runtimes that take no loops."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar

import tensorflow as tf

from cnnlg_tf.models.tracing import switched_on

State = tuple[tf.Tensor, ...]

_UNROLLED = ContextVar("unrolled", default=False)


def unrolled() -> AbstractContextManager[None]:
    """Graphs that are traced meanwhile have no loops."""
    return switched_on(_UNROLLED)


def repeated(count: int, step: Callable[[tf.Tensor, State], State], state: State) -> State:
    """The state after `count` steps; `step` gets its number, an int32 from 0 on, and the state before it.

    Written out, ten steps of a few hundred operations take TensorFlow seconds to build, which a loop does once.
    """
    if _UNROLLED.get():
        for number in range(count):
            state = step(tf.constant(number), state)
        return state

    def one(number: tf.Tensor, *before: tf.Tensor) -> State:
        return number + 1, *step(number, before)

    start = (tf.constant(0), *state)
    _, *after = tf.while_loop(lambda number, *_: number < count, one, start, parallel_iterations=1)
    return tuple(after)
