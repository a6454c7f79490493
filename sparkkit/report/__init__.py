"""What people read of a run: the table at the end, and later pages."""
