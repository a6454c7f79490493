"""Models out of frames: splits and their guards, steps of a pipeline, evaluation. Nothing here starts a session."""
