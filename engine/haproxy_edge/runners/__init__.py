"""Salt runners, found through the ``salt.loader`` entry point; thin, the logic is in plain modules."""
