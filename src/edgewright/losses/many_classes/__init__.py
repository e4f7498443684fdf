"""Very many classes: heads whose training step does not look at all of them, behind one interface."""

from .adaptive import AdaptiveHead
from .heads import HEADS, ClassHead, Headed, HeadLoss, HeadShape, class_head
from .hierarchical import HierarchicalHead
from .noise import Noise, log_uniform, uniform, unigram
from .sampled import Drawn, FullHead, SampledHead, nce_loss, negative_sampling_loss, sampled_softmax_loss
from .tree import Tree, balanced_tree, huffman_tree

__all__ = [
    "HEADS",
    "AdaptiveHead",
    "ClassHead",
    "Drawn",
    "FullHead",
    "HeadLoss",
    "HeadShape",
    "Headed",
    "HierarchicalHead",
    "Noise",
    "SampledHead",
    "Tree",
    "balanced_tree",
    "class_head",
    "huffman_tree",
    "log_uniform",
    "nce_loss",
    "negative_sampling_loss",
    "sampled_softmax_loss",
    "uniform",
    "unigram",
]
