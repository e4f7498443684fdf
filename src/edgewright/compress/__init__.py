"""Making a model smaller: `prune`, `cluster`, `quantize`, `distill`. Each is a stage: settings as fields, and `run`."""
