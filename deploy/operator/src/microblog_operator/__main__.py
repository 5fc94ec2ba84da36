"""`python -m microblog_operator`."""

from microblog_operator.cli import cli

if __name__ == "__main__":
    cli()
