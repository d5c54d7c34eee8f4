"""Results as web pages: ``words`` says what they mean, ``page`` puts them on paper."""

from seqcnn.report.page import Report, render_gallery, render_report

__all__ = ["Report", "render_gallery", "render_report"]
