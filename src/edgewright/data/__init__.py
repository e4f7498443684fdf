"""Labelled images in memory: read from official formats, split, recorded, and fed in batches."""

from .catalog import DatasetInfo, dataset_table, load_data
from .dataset import Augment, Data
from .images import Images
from .preprocess import Preprocess

__all__ = ["Augment", "Data", "DatasetInfo", "Images", "Preprocess", "dataset_table", "load_data"]
