"""The numbers of the gapped k-mer family."""

from dataclasses import dataclass
from math import comb
from typing import ClassVar

from seqcnn.architectures.configs.base import NetworkConfig
from seqcnn.architectures.configs.fields import number
from seqcnn.architectures.layers import Layer, convolution
from seqcnn.errors import ConfigError

__all__ = ["GkmConfig"]


@dataclass(frozen=True)
class GkmConfig(NetworkConfig):
    """A support vector machine over gapped k-mers: convex, and no network.

    Every choice of `informative` positions out of `width` neighbouring bases, with every
    spelling of them, is counted; the counts of a sequence, both strands together, are scaled to
    length 1 and weighed.

    References
    ----------
    Ghandi et al. 2014, doi:10.1371/journal.pcbi.1003711. Lee 2016,
    doi:10.1093/bioinformatics/btw142 (LS-GKM)
    """

    summary: ClassVar[str] = "gapped k-mers, support vector machine (gkm-SVM 2014); no detectors"

    width: int = number(10, "bases of a k-mer, gaps included", low=2, high=12)
    informative: int = number(6, "of them, those that count", high=12)
    cost: float = number(1.0, "of a training error, against small weights", low=1e-6)
    shuffles: int = number(4, "shuffles of a positive, where negatives are shuffles", high=100)

    def __post_init__(self) -> None:
        """Refuse more informative positions than there are."""
        if self.informative > self.width:
            raise ConfigError(
                f"--set informative={self.informative}",
                f"more than the {self.width} bases of --set width",
                expected=f"1 to {self.width}",
            )

    @property
    def features(self) -> int:
        """How many gapped k-mers there are."""
        return int(comb(self.width, self.informative) * 4**self.informative)

    def trunk(self, length: int) -> tuple[Layer, ...]:  # noqa: ARG002
        """List what bounds the length: every position is the beginning of a k-mer."""
        return (convolution("gapped k-mers", (4, 1), self.width),)

    def layers(self, *, length: int, tasks: int) -> tuple[Layer, ...]:  # noqa: ARG002
        """List none: this is no network."""
        return ()
