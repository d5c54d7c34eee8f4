"""Drawing: logos and curves on Axes that the caller gives; nothing is computed here."""

from seqcnn.plotting.curves import plot_history, plot_precision_recall, plot_roc, plot_scatter
from seqcnn.plotting.figures import create_figure, save_figure
from seqcnn.plotting.logos import LogoKind, plot_letters, plot_logo, plot_logo_pair

__all__ = [
    "LogoKind",
    "create_figure",
    "plot_history",
    "plot_letters",
    "plot_logo",
    "plot_logo_pair",
    "plot_precision_recall",
    "plot_roc",
    "plot_scatter",
    "save_figure",
]
