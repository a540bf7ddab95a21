"""What every device was, at every time: its configuration in a git repository, with who, when and why."""
