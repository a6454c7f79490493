"""The verbs of the command line, a module for each topic: `add` gives the parsers, `VERBS` the functions; both start nothing."""
