"""What a network is made of, layer by layer, and how far a change of its input reaches.

A network is a chain of `Layer`: numbers only, readable without torch. From them follow the
shapes, the parameters, the work and the receptive field that ``seqcnn info`` prints, the modules
that are trained, and the stretch of each layer that a mutation touches.
"""

from seqcnn.architectures.layers.arithmetic import (
    Interval,
    count_parameters,
    measure_work,
    needed_inputs,
    output_length,
    touched_outputs,
)
from seqcnn.architectures.layers.layer import (
    ACTIVATIONS,
    GLOBAL_POOLS,
    Layer,
    batch_norm,
    branches,
    convolution,
    crop,
    dense,
    flatten,
    list_leaves,
    many_widths,
    maxout,
    octave,
    pool,
    recurrent,
    residual,
    unit,
    upsample,
)
from seqcnn.architectures.layers.tracing import (
    TracedLayer,
    explain_shortfall,
    receptive_field,
    seen_beyond,
    shortest_input,
    total_stride,
    trace_layers,
)

__all__ = [
    "ACTIVATIONS",
    "GLOBAL_POOLS",
    "Interval",
    "Layer",
    "TracedLayer",
    "batch_norm",
    "branches",
    "convolution",
    "count_parameters",
    "crop",
    "dense",
    "explain_shortfall",
    "flatten",
    "list_leaves",
    "many_widths",
    "maxout",
    "measure_work",
    "needed_inputs",
    "octave",
    "output_length",
    "pool",
    "receptive_field",
    "recurrent",
    "residual",
    "seen_beyond",
    "shortest_input",
    "total_stride",
    "touched_outputs",
    "trace_layers",
    "unit",
    "upsample",
]
