"""The generative side: one file a model, arrays in, arrays out."""
