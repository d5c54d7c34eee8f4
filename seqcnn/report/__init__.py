"""Results as web pages: ``words`` says what they mean, ``page`` puts them on paper."""

from seqcnn.report.gallery import Card, Gallery, render_gallery
from seqcnn.report.page import Report, render_report
from seqcnn.report.rendering import embed_svg
from seqcnn.report.scores import ScoresReport, render_scores

__all__ = [
    "Card",
    "Gallery",
    "Report",
    "ScoresReport",
    "embed_svg",
    "render_gallery",
    "render_report",
    "render_scores",
]
