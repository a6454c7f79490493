"""`python -m sparkkit` is the `sparkkit` command."""
from sparkkit.cli import entry

if __name__ == "__main__":
    entry()
