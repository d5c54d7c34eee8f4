"""DeepLIFT's rescale rule by captum, for networks that are made of what captum knows."""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seqcnn.architectures.deepbind import DeepBind
from seqcnn.architectures.motif import MotifNet
from seqcnn.attribution.differentiable import Differentiable
from seqcnn.engine.strands import reverse_complement_one_hot
from seqcnn.errors import ConfigError, ModelFileError

__all__ = ["Rescaling"]


_STRANDS = {"average", "max", "single"}


class _Exponential(nn.Module):
    def __init__(self, ceiling: float) -> None:
        super().__init__()
        self.ceiling = ceiling

    def forward(self, scores: Tensor) -> Tensor:
        return scores.clamp(max=self.ceiling).exp()


class _Pooled(nn.Module):
    """A network with global pooling, with a module for each step that is not linear."""

    def __init__(self, network: DeepBind | MotifNet, task: int, positions: int) -> None:
        super().__init__()
        self.task, self.width = task, network.detector_width
        self.padding, self.unknown = network.detector_padding, network.unknown
        empty = torch.zeros(1, 4, positions)
        weights, offsets = network.effective_detectors(empty)
        self.register_buffer("weights", weights)
        self.register_buffer("offsets", offsets)
        is_exponential = isinstance(network, MotifNet)
        self.activation = (
            _Exponential(network.config.ceiling) if isinstance(network, MotifNet) else nn.ReLU()
        )
        self.highest = nn.MaxPool1d(positions + 2 * self.padding - self.width + 1)
        self.has_mean = is_exponential or cast("DeepBind", network).per_detector == 2
        self.is_interleaved = not is_exponential
        self.head = network.head

    def forward(self, one_hot: Tensor) -> Tensor:
        """Give the logit (n,) of sequences (n, 4, length)."""
        if self.padding:
            one_hot = functional.pad(one_hot, (self.padding,) * 2, value=self.unknown)
        weights, offsets = cast("Tensor", self.weights), cast("Tensor", self.offsets)
        active = self.activation(functional.conv1d(one_hot, weights, offsets))
        # captum takes what comes back to a module's input as the module's alone.
        features = self.highest(active.clone()).squeeze(2)
        if self.has_mean:
            both = (features, active.mean(dim=2))
            features = (
                torch.stack(both, dim=2).flatten(1) if self.is_interleaved else torch.cat(both, 1)
            )
        return cast("Tensor", self.head(features)[:, self.task])


class Rescaling:
    """DeepLIFT of a model's members and strands, each by itself.

    Where the larger strand counts, the sequence's larger one is explained.

    Parameters
    ----------
    network
        The model.

    Raises
    ------
    ConfigError
        Where captum is not installed.
    ModelFileError
        For networks with other layers.
    """

    def __init__(self, network: Differentiable) -> None:
        self._network = network
        self._captum = _import_captum()
        strands = {member.spec.strands for member in network.members}
        known = all(isinstance(each.network, DeepBind | MotifNet) for each in network.members)
        if not known or network.spec.window or not strands <= _STRANDS:
            raise ModelFileError(
                "--method deeplift",
                f"{network.spec.architecture} has steps that DeepLIFT has no rule for",
                expected="the architecture motif or deepbind, with strands average, max or single",
                remedy="use --method integrated",
            )
        self._members = [
            (_Pooled(cast("DeepBind", each.network), network.task, network.spec.length), each)
            for each in network.members
        ]

    def explain(self, inputs: Tensor, others: Tensor) -> NDArray[np.float64]:
        """Give hypothetical contributions (4, length) of a sequence against references."""
        found = [
            self._explain_member(pooled, member.spec.strands, inputs, others) * member.scale
            for pooled, member in self._members
        ]
        mean = torch.stack(found).double().mean(dim=0)
        return np.asarray(mean.cpu().numpy()) * self._network.scale

    def _explain_member(
        self, member: _Pooled, strands: str, inputs: Tensor, others: Tensor
    ) -> Tensor:
        forward = self._explain_strand(member, inputs, others)
        if strands == "single":
            return forward
        turned = [reverse_complement_one_hot(side) for side in (inputs, others)]
        reverse = self._explain_strand(member, *turned).flip(0, 1)
        if strands == "average":
            return (forward + reverse) / 2
        with torch.no_grad():
            is_forward = bool(member(inputs) >= member(turned[0]))
        return forward if is_forward else reverse

    def _explain_strand(self, member: _Pooled, inputs: Tensor, others: Tensor) -> Tensor:
        import warnings

        with warnings.catch_warnings():
            # captum says each time that it puts hooks on the modules.
            warnings.simplefilter("ignore")
            explained: Tensor = self._captum(member).attribute(
                inputs, others, custom_attribution_func=_hypothesise
            )
        return explained[0].detach()


def _hypothesise(
    multipliers: tuple[Tensor, ...], _: tuple[Tensor, ...], baselines: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Give each base its multiplier, less what the reference has with its own."""
    return tuple(
        m - (m * b).sum(dim=1, keepdim=True) for m, b in zip(multipliers, baselines, strict=True)
    )


def _import_captum() -> Any:
    try:
        from captum.attr import DeepLiftShap
        from captum.attr._core import deep_lift
    except ImportError as problem:
        raise ConfigError(
            "--method deeplift",
            f"needs the package captum, which cannot be loaded ({problem})",
            remedy="pip install 'seqcnn[attribution]', or use --method integrated",
        ) from problem
    deep_lift.SUPPORTED_NON_LINEAR.setdefault(_Exponential, deep_lift.nonlinear)
    return DeepLiftShap
