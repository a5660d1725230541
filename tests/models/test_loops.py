import tensorflow as tf

from cnnlg_tf.models.loops import State, repeated, unrolled


def twice_and_number(number: tf.Tensor, state: State) -> State:
    (total,) = state
    return (2 * total + number,)


def graph() -> tf.types.experimental.ConcreteFunction:
    def run(start: tf.Tensor) -> tf.Tensor:
        return repeated(4, twice_and_number, (start,))[0]

    function = tf.function(run, input_signature=[tf.TensorSpec([], tf.int32)], autograph=False)
    return function.get_concrete_function()


def test_a_loop_and_its_steps_written_out_give_the_same() -> None:
    looped = graph()
    with unrolled():
        written = graph()
    again = graph()
    eager = repeated(4, twice_and_number, (tf.constant(3),))[0]
    start = tf.constant(3)
    assert [int(x) for x in (looped(start), written(start), eager)] == [59, 59, 59]
    loops = [
        any("While" in node.op for node in each.graph.as_graph_def().node)
        for each in (looped, written, again)
    ]
    assert loops == [True, False, True]
