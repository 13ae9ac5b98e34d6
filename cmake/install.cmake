# Filled below with the components runtime, table, python and sdk.
