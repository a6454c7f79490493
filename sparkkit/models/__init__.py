"""Models as records: a folder with a card, a registry with versions and aliases, and what loads them back."""
