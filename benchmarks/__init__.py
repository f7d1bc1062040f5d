"""What a run costs, as ratios: `python -m benchmarks --help`. One file a subject; nothing here is asserted in tests."""
