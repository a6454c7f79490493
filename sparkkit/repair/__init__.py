"""What people do about rejected rows and doubtful runs: list them, feed them back, run twice and compare, look before a run."""
