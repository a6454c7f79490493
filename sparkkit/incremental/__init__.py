"""Inputs of which a run reads what is new since the last committed one: by file, by a watermark column, by Delta's versions or changes."""
