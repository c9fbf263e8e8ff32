"""Abbreviations that papers use for several methods; whoever asks for one is told what it may stand for."""

from __future__ import annotations

SHARED_NAMES = {
    "adsh": (
        "asymmetric deep supervised hashing (Jiang & Li, AAAI 2018)",
        "angular deep supervised hashing (Zhou et al., 2019)",
    ),
    "dsh": (
        "deep supervised hashing (Liu et al., CVPR 2016)",
        "density sensitive hashing (Jin et al., 2014)",
    ),
    "mdsh": (
        "multidimensional spectral hashing (Weiss et al., ECCV 2012)",
        "hashing with minimal-distance-separated hash centers (Wang et al., CVPR 2023)",
    ),
    "sdh": (
        "supervised discrete hashing (Shen et al., CVPR 2015)",
        "supervised deep hashing (Erin Liong et al., CVPR 2015)",
    ),
    "ssdh": (
        "supervised semantics-preserving deep hashing (Yang et al., TPAMI 2018)",
        "semi-supervised deep hashing (Zhang & Peng, 2017)",
        "semantic structure-based unsupervised deep hashing (Yang et al., IJCAI 2018)",
    ),
}
