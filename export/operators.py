"""The operators that TensorRT's ONNX parser takes, to refuse a graph that would break on the edge device.

Source: docs/operators.md of onnx-tensorrt 10.x. Left out of the list, on purpose, are operators with data-dependent
sizes (NonZero), control flow and random numbers: the parser takes some of them, deployments regret them.
"""

from typing import Any

from cnnlg_tf.errors import ExportError

TENSORRT = frozenset(
    """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil Celu Clip Concat
    Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Dropout Einsum Elu
    Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool
    GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization IsInf
    IsNaN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min Mish Mod Mul Neg Not
    OneHot Or Pad Pow PRelu QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Selu
    Shape Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh
    ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where Xor
    """.split()
)


def unsupported_by_tensorrt(proto: Any) -> list[str]:
    """Names of the graph's operators that are not on the list, each once, in order."""
    found = {
        f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        for node in proto.graph.node
    }
    return sorted(found - TENSORRT)


def check_tensorrt(proto: Any) -> None:
    """Raise ExportError when the graph uses an operator that TensorRT's parser does not take."""
    missing = unsupported_by_tensorrt(proto)
    if missing:
        raise ExportError(
            f"the ONNX graph must use only operators that TensorRT's parser takes. Received also: {', '.join(missing)}"
        )
