"""Words and tools without models: what every other room may use."""
