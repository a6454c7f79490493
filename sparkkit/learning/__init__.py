"""The part of the road that only a training goes: examples, split, guards, fit, figures, and the model kept with its outputs."""
