"""The check of a loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hashzoo.losses.base import LOSSES, Batch, Loss
from hashzoo.testing.common import check_registered, need_finite, need_finite_terms, need_scalars, summed, toy_split
from hashzoo.testing.rules import Examination
from hashzoo.testing.writes import writes_nothing


def check_loss(cls: type[Loss], *, bits: int = 12, multi_label: bool = True, ordered: bool = False) -> None:
    """Check a registered loss.

    Args:
        multi_label: whether it takes multi-hot labels too.
        ordered: whether it depends on the order of the images in a batch.

    Raises:
        ConformanceError: a rule is broken.
    """
    examination = Examination(cls)
    check_registered(examination, LOSSES, cls)
    with examination.rule("construct"):
        loss = cls(bits).double()
    kinds = {"class ids": toy_split().labels}
    if multi_label:
        kinds["multi-hot labels"] = toy_split(multi_label=True).labels
    with torch.random.fork_rng(devices=[]), writes_nothing(examination):
        for kind, labels in kinds.items():
            batch = Batch(torch.from_numpy(labels[:8]), torch.arange(8))
            codes = 1.5 * torch.randn(8, bits, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
            with examination.rule("loss-terms"):
                need_scalars(examination, loss(codes, batch))
            _check_extremes(examination, cls(bits), codes, batch, kind)
            with examination.rule("gradcheck"):
                torch.autograd.gradcheck(_value_on(loss, batch), (codes.clone().requires_grad_(),))
            if not ordered:
                with examination.rule("permutation"):
                    _check_order(examination, loss, codes, batch, kind)


def _check_extremes(examination: Examination, loss: Loss, codes: Tensor, batch: Batch, kind: str) -> None:
    """Terms and gradients are finite, in float32, where a formula is likely to overflow or to divide by 0."""
    extremes = {
        "codes of +-1e4": 1e4 * torch.where(codes > 0, 1.0, -1.0),
        "codes of 1e4": torch.full_like(codes, 1e4),
        "codes of 0": torch.zeros_like(codes),
        "one image": codes[:1],
    }
    for what, extreme in extremes.items():
        leaf = extreme.float().requires_grad_()
        part = Batch(batch.labels[: len(leaf)], batch.index[: len(leaf)])
        with examination.rule("finite"):
            terms = loss(leaf, part)
            need_finite_terms(examination, terms, f"{what}, {kind}")
        with examination.rule("gradient"):
            (gradient,) = torch.autograd.grad(summed(terms), leaf)
            need_finite(examination, gradient.numpy(), f"the gradient at {what}, {kind},")


def _value_on(loss: Loss, batch: Batch) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """The loss as a function of the codes alone, whatever it draws."""

    def value(codes: Tensor) -> tuple[Tensor, ...]:
        torch.manual_seed(0)
        return tuple(loss(codes, batch).values())

    return value


def _check_order(examination: Examination, loss: Loss, codes: Tensor, batch: Batch, kind: str) -> None:
    order = torch.randperm(len(codes), generator=torch.Generator().manual_seed(1))
    terms = loss(codes, batch)
    for name, term in loss(codes[order], Batch(batch.labels[order], batch.index[order])).items():
        examination.need(
            bool(torch.isclose(term, terms[name], rtol=1e-9, atol=1e-12)),
            f"{name} is {terms[name].item()}, and {term.item()} in another order ({kind})",
        )
