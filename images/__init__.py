"""Images on disk: class folders, data sets and splits. Knows files and arrays, no Keras."""
