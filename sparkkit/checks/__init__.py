"""Quality as data: the checks of a contract, what they need to know of a frame, and the verdict. Pure: no action is run here."""
