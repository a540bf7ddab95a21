"""One folder per command line that provision speaks."""
