"""The ledger of past runs: one immutable JSON object a run, in a folder on any store. Nothing here imports PySpark at once."""
