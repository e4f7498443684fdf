"""Making a model smaller: `prune`, `quantize`, `distill`. Each is a stage: settings as fields, and `run`."""
