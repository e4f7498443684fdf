"""Worked questions, one a file: `QUESTION`."""

THEMES: dict[str, tuple[str, str]] = {
    "estimation": ("Estimators", "估計"),
    "regularization": ("Regularization", "正則化"),
    "landscape": ("The loss landscape", "損失地形"),
    "optimizers": ("Optimizers", "最佳化器"),
    "backpropagation": ("Networks and gradients", "網路與梯度"),
    "normalization": ("Normalization", "正規化層"),
    "convolution": ("Convolution", "卷積"),
    "architectures": ("Architectures", "網路架構"),
    "pruning": ("Pruning", "剪枝"),
    "quantization": ("Quantization", "量化"),
    "distillation": ("Distillation", "知識蒸餾"),
    "hardware": ("Hardware", "硬體"),
    "pose": ("Pose", "姿態估計"),
    "losses": ("Losses", "損失函數"),
    "metrics": ("Metrics", "評估指標"),
    "many_classes": ("Very many classes", "超多類別"),
    "transfer": ("Transfer", "遷移學習"),
}
"""Theme -> its title in English and in Traditional Chinese, in the order of the pages; the same as of experiments."""
