"""The classifier side: models, classic augmentation, how generated images join, protocols, training, metrics."""
