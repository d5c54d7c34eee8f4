"""What a trained model is told after training: its temperature, its thresholds, and its faults.

``calibration`` fits on the validation data what turns scores into probabilities and calls;
``diagnosis`` says from the gaps between the sides whether bias, variance or a mismatch of the data
costs most; ``errors`` lists what the model is most wrong about; ``examination`` puts together what
is told of one set of data.
"""

from seqcnn.protocol.calibration import calibrate_spec, calibration_errors
from seqcnn.protocol.confusion import count_confusion
from seqcnn.protocol.diagnosis import Diagnosis, diagnose
from seqcnn.protocol.errors import ErrorGroup, WorstError, group_errors, worst_errors
from seqcnn.protocol.examination import Examination, examine

__all__ = [
    "Diagnosis",
    "ErrorGroup",
    "Examination",
    "WorstError",
    "calibrate_spec",
    "calibration_errors",
    "count_confusion",
    "diagnose",
    "examine",
    "group_errors",
    "worst_errors",
]
