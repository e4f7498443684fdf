"""Weight sharing: each layer's weights take a few values, so a weight is stored as the number of its value.

    >>> result = Cluster(bits=5).run(job)                       # 32 values a layer, k-means
    >>> result = Cluster(bits=5, train=CENTROIDS).run(job)      # and the values learn, each for all of its weights

values of one layer -> centroids (`kmeans`) -> fine-tuned while the sharing stays (`sharing`); zeros stay zeros

Source: Han, Mao, Dally 2016, Deep Compression, arXiv:1510.00149.
"""

from .kmeans import INITS, k_means, nearest
from .sharing import Sharing, cluster_layers, shared_twin, unshared
from .stage import CENTROIDS, Cluster

__all__ = [
    "CENTROIDS",
    "INITS",
    "Cluster",
    "Sharing",
    "cluster_layers",
    "k_means",
    "nearest",
    "shared_twin",
    "unshared",
]
