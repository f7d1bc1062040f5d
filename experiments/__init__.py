"""The papers' experiments: what was run, what came out."""
