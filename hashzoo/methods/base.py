"""The interfaces of a method: what an author writes, and what he gets without writing it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from hashzoo.errors import InvalidInput
from hashzoo.features.base import check_setting
from hashzoo.methods.presets import TRAINING, Preset
from hashzoo.methods.shared_names import SHARED_NAMES
from hashzoo.registry import Registry
from hashzoo.settings import require

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

    from hashzoo.backbones.base import Backbone
    from hashzoo.losses.base import Batch, Loss
    from hashzoo.methods.paper_tables import PaperTable

Supervision = Literal["none", "pairs", "triplets", "labels"]


@dataclass(frozen=True)
class Task:
    """What a method may know before it sees an image."""

    num_classes: int
    num_train: int
    image_size: tuple[int, int]  # height and width in pixels
    multi_label: bool = False


class Method(ABC):  # noqa: B024 - its two kinds have the abstract methods
    """A way to learn codes. Derive from `DeepMethod` or `ShallowMethod`, not from this class.

    The class attributes are what `hashzoo show` prints; the conformance suite asks for all of them.

    Args:
        bits: code length K, 1 to 4096.
        task: what the data looks like.
        config: the settings; None takes the defaults of `Config`.
        download: whether missing pretrained weights may be fetched.
    """

    name: ClassVar[str] = ""
    paper: ClassVar[str] = ""  # authors, title, venue
    year: ClassVar[int] = 0
    supervision: ClassVar[Supervision] = "labels"
    multi_label: ClassVar[bool] = False  # whether images may have several labels
    deviations: ClassVar[Sequence[str]] = ()  # each point where the code differs from the paper, and why
    defaults_from: ClassVar[str] = ""  # where the default settings come from
    presets: ClassVar[Mapping[str, Preset]] = {}  # by the word after `--preset`
    tables: ClassVar[Sequence[PaperTable]] = ()  # what its paper prints: `hashzoo reproduce`, leaderboards

    @dataclass(frozen=True)
    class Config:
        """The settings of a method; `--set name=value` reaches each field."""

        def to_dict(self) -> dict[str, Any]:
            return asdict(self)

    def __init__(self, bits: int, task: Task, config: Any = None, *, download: bool = False) -> None:
        require(1 <= bits <= 4096, "bits", "1 to 4096", bits)
        self.bits = bits
        self.task = task
        self.config: Any = self.Config() if config is None else config
        self.download = download


class ShallowMethod(Method):
    """Codes from feature vectors: `fit` returns arrays, `project` applies them. Nothing is kept on the object.

    A `fit` that cannot take all of many images draws some from `rng`; `sampling` says how many.
    """

    @dataclass(frozen=True)
    class Config(Method.Config):
        features: str = "gist"  # what describes an image: gist, pixels, deep:BACKBONE or deep:RUN_FOLDER
        weights: str | None = None  # pretrained weights of deep:BACKBONE
        input_size: int | None = None  # side in pixels to which images are resized for deep:BACKBONE

        def __post_init__(self) -> None:
            check_setting(self.features, self.weights, self.input_size)

    @abstractmethod
    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Learn from n training images.

        Args:
            features: (n, d) float32, neither centred nor scaled.
            labels: (n,) int64 or (n, C) uint8; unsupervised methods must not look.
            rng: the source of everything random.

        Returns:
            The model: named float arrays, everything that `project` needs.
        """

    def sampling(self, images: int) -> dict[str, int]:
        """How many of n training images each part of `fit` that draws some takes, by name; for the record."""
        return {}

    @abstractmethod
    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        """(m, d) float32 -> (m, bits) relaxed codes; a bit is set iff its value is >= 0."""


def require_contrast(cls: type[Method], labels: np.ndarray) -> None:
    """Refuse labels from which nothing can be learned.

    Raises:
        InvalidInput: `cls` learns from labels, and all images have the same ones.
    """
    if cls.supervision != "none" and (len(labels) == 0 or bool((labels == labels[0]).all())):
        raise InvalidInput(f"{cls.name}: expected training images of two classes or more, got {len(labels)} of one")


def made_losses(method: DeepMethod, device: torch.device) -> nn.ModuleList:
    """Ask for the `losses` that `method.loss` goes on with; of those, the modules that `extra` does not have, moved."""
    from torch import nn

    method._losses = method.losses()
    known = set(method.extra.modules())
    parts = (part for _, part in method._losses if isinstance(part, nn.Module) and part not in known)
    return nn.ModuleList(parts).to(device)


class DeepMethod(Method):
    """Codes from a network trained on images. The smallest one states its `losses`."""

    presets: ClassVar[Mapping[str, Preset]] = TRAINING

    @dataclass(frozen=True)
    class Config(Method.Config):
        backbone: str = "dsh_cnn"  # the network under the codes: `hashzoo list backbones`
        weights: str | None = None  # pretrained weights of the backbone
        input_size: int | None = None  # side in pixels to which images are resized
        epochs: int = 20  # passes over the training images
        batch_size: int = 100  # images a step; class-aware ones hold as many of each class, one at least
        sampler: Literal["class_aware", "shuffled", "label_balanced"] = "class_aware"  # several labels: as shuffled
        classes_per_batch: int = 5  # of the class-aware sampler, the same number of images each
        augment: bool = True  # what the dataset declares: shifts, mirroring
        shift: int | None = None  # pixels, where the dataset lets images move further; none takes what it declares
        optimizer: Literal["sgd", "nesterov", "adamw"] = "adamw"  # the first two with momentum
        lr: float = 2e-3  # at its highest
        momentum: float = 0.9  # of sgd and nesterov
        beta2: float = 0.95  # of AdamW; forgets sooner than the usual 0.999, which suits runs of a few hundred steps
        weight_decay: float = 0.004  # of the optimiser
        schedule: Literal["one_cycle", "step", "cosine"] = "one_cycle"  # step: a tenth at 60 and 85 % of training
        validate: int = 0  # training images held out to choose the epoch that makes the codes; 0 takes the last
        average: float = 0.0  # decay of a running average of the weights, which then makes the codes; 0 is none
        normalize: bool = False  # batch-normalize the outputs of the linear hash layer; a head of its own stays
        mirror: bool = False  # codes of means over an image and its mirror image, if it was trained on both

        def __post_init__(self) -> None:
            for name in ("epochs", "batch_size", "classes_per_batch"):
                require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
            require(self.input_size is None or self.input_size >= 1, "input_size", "at least 1", self.input_size)
            require(self.shift is None or self.shift >= 0, "shift", "0 or more", self.shift)
            require(self.lr > 0, "lr", "more than 0", self.lr)
            require(0 <= self.momentum < 1, "momentum", "0 up to 1, without 1", self.momentum)
            ahead = self.optimizer == "nesterov"
            require(not ahead or self.momentum > 0, "momentum", "more than 0 with nesterov", self.momentum)
            require(0 <= self.beta2 < 1, "beta2", "0 up to 1, without 1", self.beta2)
            require(self.weight_decay >= 0, "weight_decay", "0 or more", self.weight_decay)
            require(self.validate == 0 or self.validate >= 2, "validate", "0, or at least 2", self.validate)
            require(0 <= self.average < 1, "average", "0 up to 1, without 1", self.average)

    def __init__(self, bits: int, task: Task, config: Any = None, *, download: bool = False) -> None:
        from torch import nn

        super().__init__(bits, task, config, download=download)
        #: Modules beside the network: trained if they have parameters, part of every checkpoint, left out of the
        #: encoder. Memory banks are buffers here.
        self.extra = nn.ModuleDict()

    def losses(self) -> list[tuple[float, Loss]]:
        """Weights and terms of the objective; called once, right after `on_train_start`.

        They are moved to the device, trained if they have parameters, and part of every checkpoint.
        """
        return []

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) float32 relaxed codes -> named weighted scalars; the trainer minimises and logs their sum.

        Terms of several parts that have the same name are added.
        """
        if not hasattr(self, "_losses"):  # no trainer has asked for them
            self._losses = self.losses()
        terms: dict[str, Tensor] = {}
        for weight, part in self._losses:
            for name, term in part(codes, batch).items():
                terms[name] = weight * term + terms[name] if name in terms else weight * term
        return terms

    def network(self) -> nn.Module:
        """(B, 3, S, S) float images -> (B, bits) relaxed codes."""
        from torch import nn

        backbone = self.backbone()
        network = nn.Sequential()
        network.add_module("backbone", backbone)
        network.add_module("head", self.head(backbone.out_features))
        return network

    def head(self, features: int) -> nn.Module:
        """(B, features) -> (B, bits) relaxed codes: one linear layer unless overridden."""
        from torch import nn

        if self.config.normalize:
            return self.normalized_head(features)
        layer = nn.Linear(features, self.bits)
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer

    def normalized_head(self, features: int, gain: float = 1.0) -> nn.Module:
        """A linear layer whose outputs are batch-normalized, to a deviation that is learned and starts from `gain`.

        For objectives that have a saddle at 0: the outputs of a small network with random weights lie close to it, and
        are nearly the same for all images.
        """
        from torch import nn

        require(self.config.batch_size >= 2, "batch_size", "at least 2 for batch normalization", self.config.batch_size)
        layer = nn.Linear(features, self.bits, bias=False)
        nn.init.xavier_uniform_(layer.weight)
        norm = nn.BatchNorm1d(self.bits)
        nn.init.constant_(norm.weight, gain)
        return nn.Sequential(layer, norm)

    def backbone(self, in_channels: int = 3) -> Backbone:
        """The backbone that the settings name."""
        from hashzoo.backbones.base import BACKBONES

        size = self.config.input_size or max(self.task.image_size)
        return BACKBONES.get(self.config.backbone)(
            in_channels=in_channels, image_size=size, weights=self.config.weights, download=self.download
        )

    def batches(self, labels: Tensor, generator: torch.Generator) -> Tensor | None:
        """Positions (steps, B) of one epoch's training images; None leaves it to the `sampler` setting.

        As many steps in each epoch, from nothing but labels and generator: a resumed run asks again.
        """
        return None

    def sampler_in_effect(self) -> str:
        """Who makes the batches: "own", or the `sampler` setting; "shuffled" if that needs one class an image."""
        if type(self).batches is not DeepMethod.batches:
            return "own"
        if self.config.sampler == "class_aware" and self.task.multi_label:
            return "shuffled"
        return str(self.config.sampler)

    def optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Called once; the trainer multiplies each group's lr by the schedule."""
        import torch

        c = self.config
        if c.optimizer == "adamw":
            return torch.optim.AdamW(parameters, lr=c.lr, betas=(0.9, c.beta2), weight_decay=c.weight_decay, fused=True)
        return torch.optim.SGD(
            parameters, lr=c.lr, momentum=c.momentum, weight_decay=c.weight_decay, nesterov=c.optimizer == "nesterov"
        )

    def on_train_start(self, labels: Tensor) -> None:
        """Before the first epoch, with the training labels (n,) or (n, C) on the device; fill `extra` here.

        Torch's random numbers, and `torch.initial_seed()`, are those of the run's seed; the time counts as training.
        """

    def on_epoch_start(self, epoch: int, network: nn.Module) -> None:
        """Schedules and alternating updates go here. Called again after a resume, so keep what must last in `extra`."""


METHODS: Registry[Method] = Registry("method", Method, package="hashzoo.methods", meanings=SHARED_NAMES)
