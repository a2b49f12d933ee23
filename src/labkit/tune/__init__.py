"""Training: the name tagger now; datasets, QLoRA and distillation as their chapters open."""
