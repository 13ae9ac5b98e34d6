"""Other libraries' names and shapes over Penstock's runners: ``penstock.compat.noob``."""
