"""Why a run failed, or was slow: its record, Spark's event log and the driver's log, read offline, line by line."""
