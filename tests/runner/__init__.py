"""What ./run-tests is made of (docs/testing.md): counts, commands, checks of the sources, parts with tests, the graph."""
