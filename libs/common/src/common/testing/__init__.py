"""What tests of every service share; `common.testing.plugin` is a pytest plugin."""
