"""The modules of ./run-tests (docs/testing.md): counts, commands, checks of the sources, and suites of tests."""
