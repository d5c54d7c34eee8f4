"""A model along a genome: a logit for each window, and the sites where it is highest."""

from seqcnn.scanning.sites import Site, SiteFinder
from seqcnn.scanning.stretches import Stretch, plan_scan, scan_stretch
from seqcnn.scanning.thresholds import choose_thresholds

__all__ = [
    "Site",
    "SiteFinder",
    "Stretch",
    "choose_thresholds",
    "plan_scan",
    "scan_stretch",
]
