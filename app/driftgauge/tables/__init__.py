"""Tables read as columns: files, folders, Arrow tables and DataFrames."""
