"""The engines of the stack from Python packages alone, for development and tests: no container, no JVM to install."""
