"""From a file of any format to columns, block by block, whatever the file claims of itself."""
