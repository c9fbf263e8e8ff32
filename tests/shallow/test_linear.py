from __future__ import annotations

import numpy as np
import pytest

from hashzoo.errors import InvalidInput
from hashzoo.shallow import linear
from hashzoo.shallow.linear import centred_product, covariance, fixed_signs, mean_of, principal_axes, signs


@pytest.fixture
def features():
    rng = np.random.default_rng(3)
    return (rng.standard_normal((300, 8)) @ rng.standard_normal((8, 8)) + 100).astype(np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(linear, "_ROWS", 64)


def test_moments_equal_numpys(features):
    others = features[:, :3] ** 2
    exact = features.astype(np.float64)
    assert np.allclose(mean_of(features), exact.mean(0))
    assert np.allclose(covariance(features), np.cov(exact, rowvar=False, bias=True))
    both = np.cov(np.hstack([exact, others.astype(np.float64)]), rowvar=False, bias=True)
    assert np.allclose(covariance(features, others), both[:8, 8:])


def test_principal_axes_are_orthonormal_and_sorted_by_variance(features):
    axes = principal_axes(features, 5)
    assert np.allclose(axes.T @ axes, np.eye(5), atol=1e-12)
    along = centred_product(features, mean_of(features), axes)
    scatter = along.T @ along
    assert np.abs(scatter - np.diag(np.diag(scatter))).max() < 1e-9 * scatter.max()
    assert (np.diff(np.diag(scatter)) < 0).all()
    whole = np.linalg.eigvalsh(covariance(features))[::-1]
    assert np.allclose(np.diag(scatter) / 300, whole[:5])


def test_signs_of_axes_are_fixed(features):
    axes = principal_axes(features, 8)
    assert (axes[np.abs(axes).argmax(0), np.arange(8)] > 0).all()
    assert np.array_equal(fixed_signs(-axes), axes)


def test_products_are_centred(features):
    matrix = np.arange(16.0).reshape(8, 2)
    assert np.allclose(centred_product(features, mean_of(features), matrix), (features - mean_of(features)) @ matrix)


def test_zero_is_positive():
    assert signs(np.array([-1.5, -0.0, 0.0, 2.0], np.float32)).tolist() == [-1, 1, 1, 1]
    assert signs(np.zeros(3, np.float32)).dtype == np.float32


def test_covariances_that_no_memory_holds_are_refused():
    with pytest.raises(InvalidInput, match="features: expected at most 16384 dimensions, got 150528"):
        covariance(np.zeros((2, 150_528), np.float32))
