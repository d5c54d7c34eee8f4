"""A second output from the middle of a network, which helps training and is then left out."""

from torch import Tensor, nn

__all__ = ["AUXILIARY", "AuxiliaryHead"]

AUXILIARY = "auxiliary"
"""What the head is called in a network: its weights are no part of a model file."""


class AuxiliaryHead(nn.Module):
    """Weighs the means over positions of what a layer gives; in training alone.

    Attributes
    ----------
    weight
        What its loss counts.

    References
    ----------
    Szegedy et al. 2015, doi:10.1109/CVPR.2015.7298594
    """

    def __init__(self, layer: nn.Module, output: nn.Linear, weight: float) -> None:
        super().__init__()
        self.output, self.weight = output, weight
        self._heard: list[Tensor] = []
        layer.register_forward_hook(self._hear)

    def _hear(self, _: nn.Module, __: tuple[Tensor, ...], given: Tensor) -> None:
        """Note the logits (n, tasks) of what a layer gave (n, channels, 1, positions)."""
        if self.training:
            self._heard.append(self.output(given.mean(dim=(2, 3))))

    def take(self) -> list[Tensor]:
        """Give the logits of each pass since the last call."""
        heard, self._heard = self._heard, []
        return heard
