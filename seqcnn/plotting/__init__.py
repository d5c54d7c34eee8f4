"""Drawing: logos and curves on Axes that the caller gives; nothing is computed here."""

from seqcnn.plotting.curves import (
    plot_histogram,
    plot_history,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
    plot_scatter,
    plot_sides,
)
from seqcnn.plotting.figures import create_figure, save_figure
from seqcnn.plotting.logos import (
    LogoKind,
    plot_alignment,
    plot_letters,
    plot_logo,
    plot_logo_pair,
)

__all__ = [
    "LogoKind",
    "create_figure",
    "plot_alignment",
    "plot_histogram",
    "plot_history",
    "plot_letters",
    "plot_logo",
    "plot_logo_pair",
    "plot_precision_recall",
    "plot_reliability",
    "plot_roc",
    "plot_scatter",
    "plot_sides",
    "save_figure",
]
